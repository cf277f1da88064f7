"""All words of pages, documents and e-mails as a type, which a language that lacks one is not.

``{…}`` are filled in where a text is used; each language has the same ones as English.
"""

from __future__ import annotations

from dataclasses import dataclass


# Nobody compares or prints these, and making the methods for it takes as long as all the rest.
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Texts:
    """The words of one language."""

    # Everywhere
    sandbox: str
    continue_to_payment: str
    try_again: str
    check_again: str
    subtotal: str
    tax: str
    tax_estimated: str
    total: str
    refunded: str
    contact: str

    # The page of a link that can be paid
    payment_title: str
    payable_intro: str
    payable_tax_pending: str
    payable_tax_estimated: str
    payable_no_tax: str
    payable_until: str
    payable_declined: str
    payable_declined_funds: str
    payable_declined_expired: str
    payable_declined_details: str
    payable_declined_unconfirmed: str
    payable_action: str
    payable_safety: str
    qr_heading: str
    qr_detail: str
    qr_label: str

    # The form that asks where the buyer is
    place_intro: str
    place_intro_inclusive: str
    place_country: str
    place_choose: str
    place_country_missing: str
    place_region: str
    place_other_region: str
    place_region_missing: str
    place_tax_id: str
    place_tax_id_wrong: str

    # The receipt
    receipt_title: str
    receipt_heading: str
    receipt_intro: str
    receipt_date: str
    receipt_method: str
    receipt_invoice: str
    receipt_download: str
    receipt_download_credit_note: str
    receipt_preparing: str
    receipt_preparing_detail: str

    # While the provider has not said yet how it ended
    confirming_heading: str
    confirming_soon: str
    confirming_bank: str
    confirming_unpaid: str

    # A link that can't be paid any more
    ended_canceled: str
    ended_canceled_detail: str
    ended_expired: str
    ended_expired_detail: str
    ended_expired_undated: str

    # Problems, by status
    problem_400: str
    problem_400_detail: str
    problem_404: str
    problem_404_detail: str
    problem_unavailable: str
    problem_unavailable_detail: str
    problem: str
    problem_detail: str

    # Documents: invoices and credit notes
    invoice: str
    credit_note: str
    invoice_number: str
    credit_note_number: str
    for_invoice: str
    issue_date: str
    supply_date: str
    seller: str
    buyer: str
    vat_id: str
    tax_id: str
    description: str
    quantity: str
    unit_price: str
    amount: str
    vat_name: str
    sales_tax_name: str
    gst_name: str
    consumption_tax_name: str
    tax_on: str
    tax_on_because: str
    total_tax: str
    total_in: str
    stamp_paid: str
    stamp_void: str
    stamp_refunded: str
    stamp_credited: str
    paid_on: str
    paid_on_by: str
    refunded_on: str
    refunded_on_to: str
    corrects_invoice: str
    voids_invoice: str
    void_note: str
    page_of: str
    sandbox_document: str

    # Documents: why the tax is what it is, in a word beside the rate
    reason_reverse_charge: str
    reason_not_collecting: str
    reason_exempt: str
    reason_not_taxable: str
    reason_not_calculated: str
    reason_zero_rated: str

    # Documents: and in a sentence below the totals
    note_reverse_charge: str
    note_not_collecting: str
    note_customer_exempt: str
    note_product_exempt: str
    note_tax_holiday: str
    note_partly_exempt: str
    note_not_taxable: str
    note_not_calculated: str
    note_zero_rated: str

    # E-mails to buyers
    mail_greeting: str
    mail_greeting_unnamed: str
    mail_receipt_subject: str
    mail_receipt_intro: str
    mail_invoice_subject: str
    mail_invoice_intro: str
    mail_credit_note_subject: str
    mail_credit_note_intro: str
    mail_refund_detail: str
    mail_credit_note_void_subject: str
    mail_credit_note_void_intro: str
    mail_credit_note_void_detail: str
    mail_attached: str
    mail_link_until: str
    mail_summary: str
    mail_why: str

    # E-mails to owners
    mail_endpoint_subject: str
    mail_endpoint_failing: str
    mail_endpoint_gone: str
    mail_endpoint_todo: str
    mail_endpoint_why: str
