// Passkeys. A form with `data-passkey` holds the options of the server as JSON and a hidden field `passkey` for the answer of
// the device; its button shows only where the browser can do it. Pages work without this file, by code.
"use strict";
(() => {
  if (!window.PublicKeyCredential || !navigator.credentials) return;
  const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const encode = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const bare = (list) => (list ?? []).map((one) => ({ ...one, id: decode(one.id) }));

  const ask = async (kind, given) => {
    const publicKey = { ...given, challenge: decode(given.challenge) };
    if (kind === "create") {
      publicKey.user = { ...given.user, id: decode(given.user.id) };
      publicKey.excludeCredentials = bare(given.excludeCredentials);
      return navigator.credentials.create({ publicKey });
    }
    publicKey.allowCredentials = bare(given.allowCredentials);
    return navigator.credentials.get({ publicKey });
  };

  const answer = (made) => {
    const response = { clientDataJSON: encode(made.response.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (made.response[name]) response[name] = encode(made.response[name]);
    }
    if (made.response.getTransports) response.transports = made.response.getTransports();
    return JSON.stringify({ id: made.id, rawId: encode(made.rawId), type: made.type, response, clientExtensionResults: {} });
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const button = form.querySelector("button");
    const failed = form.querySelector("[data-failed]");
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      if (form.elements.passkey.value) return;
      event.preventDefault();
      button.disabled = true;
      failed.hidden = true;
      try {
        const made = await ask(form.dataset.passkey, JSON.parse(form.dataset.options));
        form.elements.passkey.value = answer(made);
        form.submit();
      } catch {
        failed.hidden = false;
        button.disabled = false;
        button.focus();
      }
    });
  }
})();
