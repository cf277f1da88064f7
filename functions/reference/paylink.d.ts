// Types of the paylink API, made from its OpenAPI document. `make openapi` writes this file.

/** The answer with one object. */
export interface Success<T> {
  success: true;
  data: T;
}

/** The answer with a page of a list, newest first. */
export interface Page<T> {
  success: true;
  data: T[];
  hasMore: boolean;
  nextCursor: string | null;
}

/** A postal address. */
export interface Address {
  line1: string | null;
  line2: string | null;
  city: string | null;
  state: string | null;
  postalCode: string | null;
  /** ISO 3166, two letters. */
  country: string | null;
}

/** A postal address, always given as a whole. */
export interface AddressFields {
  line1?: string | null;
  line2?: string | null;
  city?: string | null;
  state?: string | null;
  postalCode?: string | null;
  /** ISO 3166, two letters. */
  country: string;
}

/** Why a request failed. */
export interface ApiError {
  type: "authentication_error" | "billing_error" | "conflict_error" | "internal_error" |
    "not_found_error" | "rate_limit_error" | "validation_error";
  code: "api_key_not_found" | "charge_in_progress" | "credit_note_not_found" |
    "customer_not_found" | "duplicate" | "email_not_sendable" | "forbidden" |
    "idempotency_in_progress" | "idempotency_key_mismatch" | "internal_error" | "invalid_json" |
    "invoice_not_found" | "no_payment_method" | "not_found" | "payment_failed" |
    "payment_not_cancelable" | "payment_not_found" | "provider_unavailable" |
    "provider_unsupported" | "rate_limited" | "transaction_not_found" | "unauthorized" |
    "validation_error" | "webhook_not_found";
  /** For people; it may change. */
  message: string;
  /** The field that is wrong, as it was sent. */
  param: string | null;
  /** For a `validation_error`, everything that is wrong. */
  details: FieldProblem[] | Record<string, unknown> | null;
  /** A page about the code. */
  doc_url: string;
}

/** A key without its secret. */
export interface ApiKey {
  object: "api_key";
  /** The id within the key. */
  id: string;
  /** False in the sandbox. */
  livemode: boolean;
  name: string;
  /** How the key begins, by which people tell keys apart. */
  prefix: string;
  /** By resource; null is full access. */
  permissions: Record<string, string[]> | null;
  expiresAt: string | null;
  /** Roughly. */
  lastUsedAt: string | null;
  createdAt: string;
}

/** One call of an endpoint. */
export interface Attempt {
  at: string;
  /** Null, if there was no response. */
  responseCode: number | null;
  /** Why not: `timeout` and the like. */
  error: string | null;
  milliseconds: number;
}

export interface ChargePayment {
  /** Minor units of the currency (cents, for most), before tax unless the seller's prices include it. Each currency has a smallest and a largest amount, which the answer names. */
  amount: number;
  /** ISO 4217, in any case; answered in lower case. */
  currency: Currency;
  /** What is paid for: shown to the buyer, and on invoice and receipt. Text that can be seen, without control characters or overrides of direction. */
  description: string;
  /** Yours to use; given back as it is. */
  metadata?: Record<string, string> | null;
  /** `cus_…`, or your own id of the customer, who has paid by a link before. */
  customerId: string;
}

export interface CreateApiKey {
  name: string;
  /** Never, if left out. */
  expiresInDays?: number | null;
  /** What the key may do, by resource. Full access, if left out. */
  permissions?: Record<string, ("read" | "write")[]> | null;
}

export interface CreateCustomer {
  email: string;
  /** The same as `externalId`. */
  id?: string | null;
  /** Your own id of the customer; it stands for ours in every route. One with a slash is found by the list's `externalId` only: the gateway takes no slash within a part of a path. */
  externalId?: string | null;
  fullName?: string | null;
  /** The number under which the customer is registered for tax: a VAT id, an EIN. Together with the address it decides what tax is due. */
  taxDocument?: string | null;
  timezone?: string | null;
  address?: AddressFields | null;
  /** Yours to use; any JSON object. */
  metadata?: Record<string, unknown> | null;
}

export interface CreatePayment {
  /** Minor units of the currency (cents, for most), before tax unless the seller's prices include it. Each currency has a smallest and a largest amount, which the answer names. */
  amount: number;
  /** ISO 4217, in any case; answered in lower case. */
  currency: Currency;
  /** What is paid for: shown to the buyer, and on invoice and receipt. Text that can be seen, without control characters or overrides of direction. */
  description: string;
  /** Yours to use; given back as it is. */
  metadata?: Record<string, string> | null;
  /** `cus_…`, or your own id of the customer. Left out, the buyer is a guest and becomes a customer of their own. */
  customerId?: string | null;
  /** Where the buyer goes after paying, an absolute https URL (a sandbox key also takes http on localhost). Opening it proves nothing: ask for the payment. */
  successUrl?: string | null;
  /** When the link ends: 30 minutes to a year from now, ISO 8601 with a zone. Left out, after the deployment's usual number of days. */
  expiresAt?: string | null;
}

export interface CreateRefund {
  /** Minor units of the transaction's currency, tax included. Left out, all that has not been refunded yet. */
  amount?: number | null;
  /** Kept with the refund. The provider is told `duplicate`, `fraudulent` and `requested_by_customer`. */
  reason?: string | null;
}

export interface CreateWebhook {
  /** An https URL on the public internet, on port 443 or from 1024 up. */
  url: string;
  /** Which events are sent. */
  events: ("payment_link.created" | "payment_link.completed" | "payment_link.failed" |
    "payment_link.canceled" | "payment.received" | "payment.failed" | "payment.refunded" |
    "payment.disputed" | "payment.dispute_resolved" | "payment_method.attached" |
    "customer.created" | "customer.updated" | "invoice.created")[];
  description?: string | null;
}

/** A new key; `apiKey` is shown this once. */
export interface CreatedApiKey {
  object: "api_key";
  /** The id within the key. */
  id: string;
  /** False in the sandbox. */
  livemode: boolean;
  name: string;
  /** How the key begins, by which people tell keys apart. */
  prefix: string;
  /** By resource; null is full access. */
  permissions: Record<string, string[]> | null;
  expiresAt: string | null;
  /** Roughly. */
  lastUsedAt: string | null;
  createdAt: string;
  apiKey: string;
}

/** How much of an invoice a refund took back. Amounts are positive integers in minor units of the currency, and `subtotal + taxAmount = total` always. */
export interface CreditNote {
  object: "credit_note";
  id: string;
  livemode: boolean;
  /** Consecutive per organization, mode and year of issue. */
  creditNoteNumber: string;
  /** `void`: the refund failed later, and the invoice stands again. */
  status: "issued" | "void";
  /** Your own id of the customer, if there is one, else ours. */
  customerId: string | null;
  invoiceId: string;
  invoiceNumber: string;
  paymentId: string;
  transactionId: string;
  refundId: string;
  /** ISO 4217, lower case. */
  currency: string;
  subtotal: number;
  /** Its share of the invoice's; all parts add up to it. */
  taxAmount: number;
  /** What went back. */
  total: number;
  reason: string | null;
  issueDate: string;
  createdAt: string;
  voidedAt: string | null;
}

/** A link that downloads the PDF without an API key. */
export interface CreditNoteDownloadLink {
  object: "credit_note_download_link";
  livemode: boolean;
  /** Ours; it leads to the PDF, which is made if it isn't stored yet. */
  url: string;
  /** After seven days. */
  expiresAt: string;
}

export type Currency = "aed" | "afn" | "all" | "amd" | "ang" | "aoa" | "ars" | "aud" | "awg" |
  "azn" | "bam" | "bbd" | "bdt" | "bgn" | "bhd" | "bif" | "bmd" | "bnd" | "bob" | "brl" | "bsd"
  | "bwp" | "byn" | "bzd" | "cad" | "cdf" | "chf" | "clp" | "cny" | "cop" | "crc" | "cve" |
  "czk" | "djf" | "dkk" | "dop" | "dzd" | "egp" | "etb" | "eur" | "fjd" | "fkp" | "gbp" | "gel"
  | "gip" | "gmd" | "gnf" | "gtq" | "gyd" | "hkd" | "hnl" | "htg" | "huf" | "idr" | "ils" |
  "inr" | "isk" | "jmd" | "jod" | "jpy" | "kes" | "kgs" | "khr" | "kmf" | "krw" | "kwd" | "kyd"
  | "kzt" | "lak" | "lbp" | "lkr" | "lrd" | "lsl" | "mad" | "mdl" | "mga" | "mkd" | "mmk" |
  "mnt" | "mop" | "mur" | "mvr" | "mwk" | "mxn" | "myr" | "mzn" | "nad" | "ngn" | "nio" | "nok"
  | "npr" | "nzd" | "omr" | "pab" | "pen" | "pgk" | "php" | "pkr" | "pln" | "pyg" | "qar" |
  "ron" | "rsd" | "rub" | "rwf" | "sar" | "sbd" | "scr" | "sek" | "sgd" | "shp" | "sle" | "sos"
  | "srd" | "std" | "szl" | "thb" | "tjs" | "tnd" | "top" | "try" | "ttd" | "twd" | "tzs" |
  "uah" | "ugx" | "usd" | "uyu" | "uzs" | "vnd" | "vuv" | "wst" | "xaf" | "xcd" | "xcg" | "xof"
  | "xpf" | "yer" | "zar" | "zmw";

/** Somebody who pays you. */
export interface Customer {
  object: "customer";
  /** Ours. */
  id: string;
  livemode: boolean;
  /** Yours. */
  externalId: string | null;
  /** Null only for a guest who paid without telling one. */
  email: string | null;
  fullName: string | null;
  /** As you gave it, or else as the buyer did at checkout. */
  taxDocument: string | null;
  /** Always null. */
  documentType: null;
  timezone: string | null;
  address: Address | null;
  metadata: Record<string, unknown> | null;
  createdAt: string;
  updatedAt: string;
}

/** What is left of a key. */
export interface DeletedApiKey {
  object: "api_key";
  id: string;
  livemode: boolean;
  deleted: boolean;
}

/** What is left of an endpoint. */
export interface DeletedWebhook {
  object: "webhook";
  id: string;
  livemode: boolean;
  deleted: boolean;
}

/** One event on its way to one endpoint. What the endpoint answered is not kept. */
export interface Delivery {
  object: "webhook_delivery";
  id: string;
  livemode: boolean;
  webhookId: string;
  eventId: string;
  event: string;
  status: "pending" | "succeeded" | "failed";
  /** Oldest first; the last thirty, if there are more. */
  attempts: Attempt[];
  /** Of the last attempt. */
  responseCode: number | null;
  /** Why it was given up: `endpoint_disabled`, `endpoint_deleted`. */
  error: string | null;
  nextAttemptAt: string | null;
  createdAt: string;
  updatedAt: string;
}

/** A customer of whom nothing personal is left. */
export interface ErasedCustomer {
  object: "customer";
  /** Ours. */
  id: string;
  livemode: boolean;
  deleted: true;
}

/** The answer to any request that failed. */
export interface Failure {
  success: false;
  error: ApiError;
}

/** One thing wrong with one field, named as it was sent. */
export interface FieldProblem {
  field: string;
  message: string;
}

/** An invoice as it was issued. Amounts are integers in minor units of the currency, and `subtotal + taxAmount = total` always. */
export interface Invoice {
  object: "invoice";
  id: string;
  livemode: boolean;
  /** Consecutive per organization, mode and year of issue. */
  invoiceNumber: string;
  status: "paid" | "void";
  invoiceType: "one_time_payment";
  /** Your own id of the customer, if there is one, else ours. */
  customerId: string | null;
  /** Always null. */
  subscriptionId: null;
  paymentId: string;
  transactionId: string;
  /** ISO 4217, lower case. */
  currency: string;
  subtotal: number;
  /** Always 0. */
  discountAmount: number;
  taxAmount: number;
  total: number;
  /** When it was paid. */
  periodStart: string;
  /** When it was paid. */
  periodEnd: string;
  issueDate: string;
  /** The date of issue: it is paid already. */
  dueDate: string;
  /** Always null. */
  memo: null;
  /** The payment's. */
  metadata: Record<string, string>;
  createdAt: string;
  updatedAt: string;
}

/** A link that downloads the PDF without an API key. */
export interface InvoiceDownloadLink {
  object: "invoice_download_link";
  livemode: boolean;
  /** Ours; it leads to the PDF, which is made if it isn't stored yet. */
  url: string;
  /** After seven days. */
  expiresAt: string;
}

/** What was paid for, before tax. */
export interface LineItem {
  lineType: "one_time";
  description: string;
  quantity: number;
  unitAmount: number;
  amount: number;
  /** Always null. */
  featureName: null;
  /** Always null. */
  includedAmount: null;
  /** Always null. */
  usedAmount: null;
  /** Always null. */
  overageAmount: null;
  /** Always null. */
  discountType: null;
  /** Always null. */
  discountValue: null;
  /** Always null. */
  discountName: null;
  /** Always null. */
  chargeType: null;
}

/** A payment: a link for a buyer, or a charge of a card on file. Amounts are integers in minor units of the currency, and `amountSubtotal + taxAmount = amountTotal` always. */
export interface Payment {
  object: "payment";
  id: string;
  /** False in the sandbox. */
  livemode: boolean;
  /** A link to be paid, or a charge of a saved card. */
  kind: "link" | "charge";
  /** `succeeded` is final. A link that `failed` or `requires_action` can be paid again until it expires. */
  status: "pending" | "requires_action" | "processing" | "failed" | "succeeded" | "canceled";
  provider: "stripe";
  /** Your own id of the customer if there is one, else `cus_…`. */
  customerId: string | null;
  /** Before tax. */
  amountSubtotal: number;
  taxAmount: number;
  /** What the buyer pays. */
  amountTotal: number;
  /** `pending` until the buyer's address is known, and `taxAmount` is 0 until then; `not_collecting` where the seller is not registered, or collects no tax. */
  taxStatus: "pending" | "estimated" | "final" | "not_collecting";
  amountRefunded: number;
  /** What the buyer's bank took back for good. */
  amountLost: number;
  /** `open` while the buyer's bank disputes the payment, then `won` or `lost`; null if it never did. */
  disputeStatus: "open" | "won" | "lost" | null;
  /** ISO 4217, lower case. */
  currency: string;
  description: string;
  metadata: Record<string, string> | null;
  /** The link; null for a charge. */
  url: string | null;
  expiresAt: string | null;
  cancellationReason: "requested" | "expired" | null;
  /** Once it is paid and issued. */
  invoiceId: string | null;
  /** The provider's code of the last failed attempt. */
  failureCode: string | null;
  failureMessage: string | null;
  paidAt: string | null;
  createdAt: string;
  updatedAt: string;
}

/** What was paid for. */
export interface PaymentContext {
  reason: "one_time_payment";
  /** The payment; null for a charge. */
  paymentLinkId: string | null;
  /** Always null. */
  recovery: null;
}

/** A card or bank account that charges can use; its number is at the provider only. */
export interface PaymentMethod {
  object: "payment_method";
  /** Ours, `pm_…`; the same card keeps it. */
  id: string;
  livemode: boolean;
  /** `card`, `sepa_debit` and so on. */
  type: string;
  brand: string | null;
  last4: string | null;
  expMonth: number | null;
  expYear: number | null;
  /** Whether charges use it. */
  default: boolean;
}

/** Money that goes back to the buyer. */
export interface Refund {
  object: "refund";
  id: string;
  livemode: boolean;
  transactionId: string;
  /** Minor units, tax included. */
  amount: number;
  /** ISO 4217, lower case. */
  currency: string;
  /** The provider's. */
  chargeId: string | null;
  /** One that is `pending`, and even one that `succeeded`, can still fail: the payment's `amountRefunded` is then lower again. */
  status: "pending" | "requires_action" | "succeeded" | "failed" | "canceled";
  reason: string | null;
  createdAt: string;
}

/** What is left of a payment method. */
export interface RemovedPaymentMethod {
  object: "payment_method";
  id: string;
  livemode: boolean;
  deleted: true;
}

export interface ResendFailed {
  /** From when on, ISO 8601 with a zone. */
  since: string;
}

/** What is sent again. */
export interface Resent {
  object: "webhook_resend";
  livemode: boolean;
  resent: number;
  /** False, if time ran out: ask again, with the same `since`. */
  complete: boolean;
}

export interface RotateSecret {
  /** For how long the old secret signs as well. */
  overlapHours?: number;
}

/** An invoice that was handed to the mail service. */
export interface SentInvoice {
  object: "invoice";
  id: string;
  livemode: boolean;
  sent: true;
  sentAt: string;
}

/** One settled or failed attempt to pay. Amounts are integers in minor units of the currency, and `subtotal + taxAmount = grossAmount` always. */
export interface Transaction {
  object: "transaction";
  id: string;
  livemode: boolean;
  paymentId: string;
  /** Of money that came. The invoice follows within seconds; money that came twice has none. */
  invoiceId: string | null;
  /** `refunded` once all of it went back; `disputed` while the buyer's bank disputes it, and for good where the dispute was lost. */
  status: "pending" | "succeeded" | "failed" | "refunded" | "disputed";
  /** `open`, then `won` (`status` is what it was) or `lost` (the money is gone); null if it was never disputed. */
  disputeStatus: "open" | "won" | "lost" | null;
  /** What the buyer's bank took back for good. */
  amountLost: number;
  provider: "stripe";
  /** With tax. */
  grossAmount: number;
  subtotal: number;
  taxAmount: number;
  /** What the buyer saw. */
  presentmentAmount: number;
  /** ISO 4217, lower case. */
  currency: string;
  /** `card` and so on. */
  paymentMethod: string | null;
  /** The brand. */
  subPaymentMethod: string | null;
  customerEmail: string | null;
  customerName: string | null;
  /** The provider's. */
  failureCode: string | null;
  failureMessage: string | null;
  paymentContext: PaymentContext;
  paidAt: string | null;
  /** Always null: when the provider pays out isn't known here. */
  availableAt: null;
  createdAt: string;
  updatedAt: string;
}

export interface UpdateCustomer {
  /** Can't be cleared. */
  email?: string;
  /** Your own id of the customer; it stands for ours in every route. One with a slash is found by the list's `externalId` only: the gateway takes no slash within a part of a path. */
  externalId?: string | null;
  fullName?: string | null;
  /** The number under which the customer is registered for tax: a VAT id, an EIN. Together with the address it decides what tax is due. */
  taxDocument?: string | null;
  timezone?: string | null;
  /** Replaces all of the old one. */
  address?: AddressFields | null;
  /** Replaces all of the old one. */
  metadata?: Record<string, unknown> | null;
}

export interface UpdateWebhook {
  /** An https URL on the public internet, on port 443 or from 1024 up. */
  url?: string;
  /** Which events are sent. */
  events?: ("payment_link.created" | "payment_link.completed" | "payment_link.failed" |
    "payment_link.canceled" | "payment.received" | "payment.failed" | "payment.refunded" |
    "payment.disputed" | "payment.dispute_resolved" | "payment_method.attached" |
    "customer.created" | "customer.updated" | "invoice.created")[];
  /** Null clears it. */
  description?: string | null;
  /** Switched on again, nothing is held against the endpoint any more. */
  isActive?: boolean;
}

/** An address that is told of events. */
export interface Webhook {
  object: "webhook";
  id: string;
  livemode: boolean;
  url: string;
  events: string[];
  description: string | null;
  isActive: boolean;
  /** Why we switched it off: three events in a row `failing` in all attempts, or the answer 410, `gone`. */
  disabledReason: "failing" | "gone" | null;
  /** Of the bodies sent to it. */
  apiVersion: string;
  /** While an old secret still signs: until when. */
  secretRotatesAt: string | null;
  createdAt: string;
  updatedAt: string;
}

/** How a test went. */
export interface WebhookTest {
  object: "webhook_test";
  livemode: boolean;
  success: boolean;
  deliveryId: string;
  deliveredAt: string;
  /** Null, if there was no response. */
  responseCode: number | null;
  error: string | null;
}

/** An endpoint with its newest secret; it is shown this once. */
export interface WebhookWithSecret {
  object: "webhook";
  id: string;
  livemode: boolean;
  url: string;
  events: string[];
  description: string | null;
  isActive: boolean;
  /** Why we switched it off: three events in a row `failing` in all attempts, or the answer 410, `gone`. */
  disabledReason: "failing" | "gone" | null;
  /** Of the bodies sent to it. */
  apiVersion: string;
  /** While an old secret still signs: until when. */
  secretRotatesAt: string | null;
  createdAt: string;
  updatedAt: string;
  secretKey: string;
}

/** A credit note with its line items. */
export interface WholeCreditNote {
  object: "credit_note";
  id: string;
  livemode: boolean;
  /** Consecutive per organization, mode and year of issue. */
  creditNoteNumber: string;
  /** `void`: the refund failed later, and the invoice stands again. */
  status: "issued" | "void";
  /** Your own id of the customer, if there is one, else ours. */
  customerId: string | null;
  invoiceId: string;
  invoiceNumber: string;
  paymentId: string;
  transactionId: string;
  refundId: string;
  /** ISO 4217, lower case. */
  currency: string;
  subtotal: number;
  /** Its share of the invoice's; all parts add up to it. */
  taxAmount: number;
  /** What went back. */
  total: number;
  reason: string | null;
  issueDate: string;
  createdAt: string;
  voidedAt: string | null;
  lineItems: LineItem[];
}

/** An invoice with its line items. */
export interface WholeInvoice {
  object: "invoice";
  id: string;
  livemode: boolean;
  /** Consecutive per organization, mode and year of issue. */
  invoiceNumber: string;
  status: "paid" | "void";
  invoiceType: "one_time_payment";
  /** Your own id of the customer, if there is one, else ours. */
  customerId: string | null;
  /** Always null. */
  subscriptionId: null;
  paymentId: string;
  transactionId: string;
  /** ISO 4217, lower case. */
  currency: string;
  subtotal: number;
  /** Always 0. */
  discountAmount: number;
  taxAmount: number;
  total: number;
  /** When it was paid. */
  periodStart: string;
  /** When it was paid. */
  periodEnd: string;
  issueDate: string;
  /** The date of issue: it is paid already. */
  dueDate: string;
  /** Always null. */
  memo: null;
  /** The payment's. */
  metadata: Record<string, string>;
  createdAt: string;
  updatedAt: string;
  lineItems: LineItem[];
  /** Always 0. */
  creditApplied: number;
  /** Always null. */
  planName: null;
  /** Always null. */
  poNumber: null;
  /** Always null. */
  reference: null;
}

/** Every operation, by its id. */
export interface Operations {
  /** List API keys `GET /api-keys` */
  listApiKeys: {
    query: {
      /** How many to answer at most. */
      limit?: number;
      /** `nextCursor` of the page before, with the same filters. */
      cursor?: string;
    };
    response: Page<ApiKey>;
  };
  /** Make an API key `POST /api-keys` */
  createApiKey: {
    body: CreateApiKey;
    response: Success<CreatedApiKey>;
  };
  /** Delete an API key `DELETE /api-keys/{apiKeyId}` */
  deleteApiKey: {
    path: {
      apiKeyId: string;
    };
    response: Success<DeletedApiKey>;
  };
  /** List credit notes `GET /credit-notes` */
  listCreditNotes: {
    query: {
      /** Only of this customer: your own id, or ours. */
      customerId?: string;
      /** How many to answer at most. */
      limit?: number;
      /** `nextCursor` of the page before, with the same filters. */
      cursor?: string;
    };
    response: Page<CreditNote>;
  };
  /** Get a credit note `GET /credit-notes/{noteId}` */
  getCreditNote: {
    path: {
      noteId: string;
    };
    response: Success<WholeCreditNote>;
  };
  /** Get a link to a credit note's PDF `GET /credit-notes/{noteId}/download` */
  getCreditNoteDownload: {
    path: {
      noteId: string;
    };
    response: Success<CreditNoteDownloadLink>;
  };
  /** Make a link to a credit note's PDF `POST /credit-notes/{noteId}/download-links` */
  createCreditNoteDownloadLink: {
    path: {
      noteId: string;
    };
    response: Success<CreditNoteDownloadLink>;
  };
  /** List customers `GET /customers` */
  listCustomers: {
    query: {
      /** Your own id of the customer. */
      externalId?: string;
      /** How many to answer at most. */
      limit?: number;
      /** `nextCursor` of the page before, with the same filters. */
      cursor?: string;
    };
    response: Page<Customer>;
  };
  /** Make a customer `POST /customers` */
  createCustomer: {
    body: CreateCustomer;
    response: Success<Customer>;
  };
  /** Erase a customer `DELETE /customers/{customerId}` */
  erase: {
    path: {
      /** `cus_…`, or your own id of the customer. */
      customerId: string;
    };
    response: Success<ErasedCustomer>;
  };
  /** Get a customer `GET /customers/{customerId}` */
  getCustomer: {
    path: {
      /** `cus_…`, or your own id of the customer. */
      customerId: string;
    };
    response: Success<Customer>;
  };
  /** Change a customer `PATCH /customers/{customerId}` */
  updateCustomer: {
    path: {
      /** `cus_…`, or your own id of the customer. */
      customerId: string;
    };
    body: UpdateCustomer;
    response: Success<Customer>;
  };
  /** Change a customer `PUT /customers/{customerId}` */
  updateCustomerByPut: {
    path: {
      /** `cus_…`, or your own id of the customer. */
      customerId: string;
    };
    body: UpdateCustomer;
    response: Success<Customer>;
  };
  /** List a customer's payment methods `GET /customers/{customerId}/payment-methods` */
  listMethods: {
    path: {
      /** `cus_…`, or your own id of the customer. */
      customerId: string;
    };
    query: {
      /** How many to answer at most. */
      limit?: number;
      /** `nextCursor` of the page before, with the same filters. */
      cursor?: string;
    };
    response: Page<PaymentMethod>;
  };
  /** Remove a payment method `DELETE /customers/{customerId}/payment-methods/{paymentMethodId}` */
  removeMethod: {
    path: {
      /** `cus_…`, or your own id of the customer. */
      customerId: string;
      paymentMethodId: string;
    };
    response: Success<RemovedPaymentMethod>;
  };
  /** List invoices `GET /invoices` */
  listInvoices: {
    query: {
      /** Only of this customer: your own id, or ours. */
      customerId?: string;
      status?: "draft" | "outstanding" | "paid" | "void" | "uncollectible";
      /** There are no subscriptions: the list is then empty. */
      subscriptionId?: string;
      /** How many to answer at most. */
      limit?: number;
      /** `nextCursor` of the page before, with the same filters. */
      cursor?: string;
    };
    response: Page<Invoice>;
  };
  /** Get an invoice `GET /invoices/{invoiceId}` */
  getInvoice: {
    path: {
      invoiceId: string;
    };
    response: Success<WholeInvoice>;
  };
  /** Get a link to an invoice's PDF `GET /invoices/{invoiceId}/download` */
  getInvoiceDownload: {
    path: {
      invoiceId: string;
    };
    response: Success<InvoiceDownloadLink>;
  };
  /** Make a link to an invoice's PDF `POST /invoices/{invoiceId}/download-links` */
  createInvoiceDownloadLink: {
    path: {
      invoiceId: string;
    };
    response: Success<InvoiceDownloadLink>;
  };
  /** Send an invoice by e-mail `POST /invoices/{invoiceId}/send` */
  sendInvoice: {
    path: {
      invoiceId: string;
    };
    response: Success<SentInvoice>;
  };
  /** List payments `GET /payments` */
  listPayments: {
    query: {
      /** Only this customer's: `cus_…`, or your own id. */
      customerId?: string;
      status?: "pending" | "requires_action" | "processing" | "failed" | "succeeded" |
        "canceled";
      /** How many to answer at most. */
      limit?: number;
      /** `nextCursor` of the page before, with the same filters. */
      cursor?: string;
    };
    response: Page<Payment>;
  };
  /** Make a payment link `POST /payments` */
  createPayment: {
    body: CreatePayment;
    response: Success<Payment>;
  };
  /** Charge a saved payment method `POST /payments/charge` */
  chargePayment: {
    body: ChargePayment;
    response: Success<Payment>;
  };
  /** Get a payment `GET /payments/{paymentId}` */
  getPayment: {
    path: {
      paymentId: string;
    };
    response: Success<Payment>;
  };
  /** Cancel a payment link `POST /payments/{paymentId}/cancel` */
  cancelPayment: {
    path: {
      paymentId: string;
    };
    response: Success<Payment>;
  };
  /** Get the QR code of a payment link `GET /payments/{paymentId}/qr` */
  getPaymentQr: {
    path: {
      paymentId: string;
    };
    query: {
      /** Without it, PNG where `accept` asks for `image/png`, else SVG. */
      format?: "svg" | "png";
      /** The side in pixels, 300 by default. A PNG is as much smaller as it takes to make every module the same number of pixels. */
      size?: number;
    };
    response: Blob;
  };
  /** List transactions `GET /transactions` */
  listTransactions: {
    query: {
      status?: "pending" | "succeeded" | "failed" | "refunded" | "disputed";
      /** Only of buyers with this e-mail address, in any case. */
      customerEmail?: string;
      /** How many to answer at most. */
      limit?: number;
      /** `nextCursor` of the page before, with the same filters. */
      cursor?: string;
    };
    response: Page<Transaction>;
  };
  /** Get a transaction `GET /transactions/{transactionId}` */
  getTransaction: {
    path: {
      transactionId: string;
    };
    response: Success<Transaction>;
  };
  /** Refund a transaction `POST /transactions/{transactionId}/refund` */
  refundTransaction: {
    path: {
      transactionId: string;
    };
    body: CreateRefund;
    response: Success<Refund>;
  };
  /** List webhook endpoints `GET /webhooks` */
  listWebhooks: {
    query: {
      /** How many to answer at most. */
      limit?: number;
      /** `nextCursor` of the page before, with the same filters. */
      cursor?: string;
    };
    response: Page<Webhook>;
  };
  /** Register a webhook endpoint `POST /webhooks` */
  createWebhook: {
    body: CreateWebhook;
    response: Success<WebhookWithSecret>;
  };
  /** Delete a webhook endpoint `DELETE /webhooks/{webhookId}` */
  deleteWebhook: {
    path: {
      webhookId: string;
    };
    response: Success<DeletedWebhook>;
  };
  /** Get a webhook endpoint `GET /webhooks/{webhookId}` */
  getWebhook: {
    path: {
      webhookId: string;
    };
    response: Success<Webhook>;
  };
  /** Change a webhook endpoint `PATCH /webhooks/{webhookId}` */
  updateWebhook: {
    path: {
      webhookId: string;
    };
    body: UpdateWebhook;
    response: Success<Webhook>;
  };
  /** Change a webhook endpoint `PUT /webhooks/{webhookId}` */
  updateWebhookByPut: {
    path: {
      webhookId: string;
    };
    body: UpdateWebhook;
    response: Success<Webhook>;
  };
  /** List the deliveries to a webhook endpoint `GET /webhooks/{webhookId}/deliveries` */
  listWebhookDeliveries: {
    path: {
      webhookId: string;
    };
    query: {
      status?: "pending" | "succeeded" | "failed";
      /** How many to answer at most. */
      limit?: number;
      /** `nextCursor` of the page before, with the same filters. */
      cursor?: string;
    };
    response: Page<Delivery>;
  };
  /** Send a delivery again `POST /webhooks/{webhookId}/deliveries/{deliveryId}/resend` */
  resendWebhookDelivery: {
    path: {
      webhookId: string;
      deliveryId: string;
    };
    response: Success<Delivery>;
  };
  /** Send all failed deliveries again `POST /webhooks/{webhookId}/resend` */
  resendFailedWebhooks: {
    path: {
      webhookId: string;
    };
    body: ResendFailed;
    response: Success<Resent>;
  };
  /** Rotate the secret of a webhook endpoint `POST /webhooks/{webhookId}/rotate-secret` */
  rotateWebhookSecret: {
    path: {
      webhookId: string;
    };
    body: RotateSecret;
    response: Success<WebhookWithSecret>;
  };
  /** Send a test event `POST /webhooks/{webhookId}/test` */
  testWebhook: {
    path: {
      webhookId: string;
    };
    response: Success<WebhookTest>;
  };
}
