// Makes the checkout page pleasant; without it the same form works by plain posts.
"use strict";

const post = async (url, data) => {
  const answer = await fetch(url, {
    method: "POST",
    body: new URLSearchParams(data),
    headers: { Accept: "application/json" },
    redirect: "error",
  });
  return answer.json();
};

const pay = document.getElementById("pay");
const challenge = document.getElementById("challenge");

if (challenge) {
  challenge.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (challenge.dataset.busy) return;
    challenge.dataset.busy = "yes";
    event.submitter.setAttribute("aria-busy", "true");
    const data = new FormData(challenge);
    data.set("answer", event.submitter.value);
    try {
      const result = await post(challenge.action, data);
      location.assign(result.url);
    } catch {
      location.reload();
    }
  });
}

if (pay) {
  const fields = pay.elements;
  const button = document.getElementById("go");
  const alertBox = document.getElementById("alert");
  const brand = document.getElementById("brand");
  let busy = false;

  const show = (message) => {
    alertBox.textContent = message || "";
    alertBox.hidden = !message;
  };
  const setError = (name, message) => {
    const box = pay.querySelector(`[data-field="${name}"]`);
    if (!box) return;
    box.classList.toggle("bad", Boolean(message));
    box.querySelector(".error").textContent = message || "";
    const input = box.querySelector("input, select");
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };
  const wait = (on) => {
    busy = on;
    button.setAttribute("aria-busy", String(on));
  };

  pay.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    wait(true);
    show("");
    pay.querySelectorAll("[data-field]").forEach((box) => setError(box.dataset.field, ""));
    try {
      const result = await post(pay.action, new FormData(pay));
      if (result.url) {
        location.assign(result.url);
        return; // stays busy until the page is gone
      }
      const errors = result.errors || {};
      Object.entries(errors).forEach(([name, message]) => setError(name, message));
      show(result.message || "");
      const first = pay.querySelector("[aria-invalid]");
      if (first) first.focus();
      else alertBox.scrollIntoView({ block: "nearest" });
      if (result.message && fields.cvc) fields.cvc.value = "";
    } catch {
      show("Something went wrong on the way. You have not been charged; please try again.");
    }
    wait(false);
  });

  // Amounts follow the address.
  let timer;
  let newest = 0;
  const reprice = async () => {
    if (busy) return; // a reload would overtake the way to the success page
    const mine = ++newest;
    const data = new FormData();
    for (const name of ["country", "postal", "vat"]) if (fields[name]) data.set(name, fields[name].value);
    try {
      const price = await post(`${pay.action}/price`, data);
      if (busy || mine !== newest) return;
      if (price.gone) return location.reload();
      document.querySelectorAll("[data-price]").forEach((node) => {
        if (price[node.dataset.price] !== undefined) node.textContent = price[node.dataset.price];
      });
      document.querySelectorAll("[data-waiting]").forEach((node) => {
        node.dataset.waiting = price.waiting ? "yes" : "no";
      });
    } catch {
      // The amounts are computed again when paying.
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(reprice, 200);
  };
  fields.country.addEventListener("change", reprice);
  for (const name of ["postal", "vat"]) if (fields[name]) fields[name].addEventListener("input", soon);
  if (fields.country.value || fields.postal.value) reprice();

  // Card number and expiry are grouped while they are typed.
  const names = [
    [/^3[47]/, "AMEX"],
    [/^4/, "VISA"],
    [/^(5[1-5]|2[2-7])/, "MASTERCARD"],
    [/^6/, "DISCOVER"],
  ];
  const group = (digits) =>
    /^3[47]/.test(digits)
      ? [digits.slice(0, 4), digits.slice(4, 10), digits.slice(10, 15)].filter(Boolean).join(" ")
      : (digits.slice(0, 19).match(/.{1,4}/g) || []).join(" ");
  if (fields.card) {
    fields.card.addEventListener("input", () => {
      const atEnd = fields.card.selectionStart === fields.card.value.length;
      const digits = fields.card.value.replace(/\D/g, "");
      if (atEnd) fields.card.value = group(digits);
      brand.textContent = (names.find(([pattern]) => pattern.test(digits)) || [])[1] || "";
    });
    fields.expiry.addEventListener("input", (event) => {
      if ((event.inputType || "").startsWith("delete")) return;
      const typed = fields.expiry.value;
      const parted = typed.match(/^\s*(\d{1,2})\s*[/.-]\s*(\d*)/);
      const digits = typed.replace(/\D/g, "");
      let [month, year] = parted ? parted.slice(1) : [digits.slice(0, 2), digits.slice(2)];
      if (parted || /^[2-9]$/.test(month)) month = month.padStart(2, "0");
      fields.expiry.value = month.length === 2 ? `${month} / ${year.slice(0, 4)}` : month;
    });
    document.querySelectorAll("[data-card]").forEach((node) => {
      node.addEventListener("click", () => {
        if (fields["method-card"]) fields["method-card"].checked = true;
        fields.card.value = group(node.dataset.card);
        fields.card.dispatchEvent(new Event("input"));
        fields.expiry.value = `12 / ${String(new Date().getFullYear() + 4).slice(2)}`;
        fields.cvc.value = /^3/.test(node.dataset.card) ? "1234" : "123";
        if (!fields.email.value) fields.email.value = "buyer@example.com";
        if (!fields.name.value) fields.name.value = "Test Buyer";
        ["card", "expiry", "cvc", "email", "name"].forEach((name) => setError(name, ""));
        (fields.postal.value ? button : fields.postal).focus();
      });
    });
  }
  // Back from another page by the browser's cache: usable again.
  window.addEventListener("pageshow", () => wait(false));
}
