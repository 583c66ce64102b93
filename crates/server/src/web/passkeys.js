// Passkeys: hands a page's question to the browser, and puts the answer into the page's form.

const bytes = (text) => Uint8Array.from(
  atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0),
);
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/** The question with bytes in place of base64url. */
function question(options) {
  const key = options.publicKey;
  key.challenge = bytes(key.challenge);
  if (key.user) key.user.id = bytes(key.user.id);
  for (const list of [key.excludeCredentials, key.allowCredentials]) {
    for (const credential of list ?? []) credential.id = bytes(credential.id);
  }
  return options;
}

/** The answer with base64url in place of bytes. */
function answer(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    extensions: credential.getClientExtensionResults(),
    response,
  });
}

const form = document.querySelector("form[data-passkey]");
const problem = document.querySelector("[data-passkey-problem]");

async function use(event) {
  if (form.elements.credential.value) return;
  event?.preventDefault();
  try {
    const options = question(JSON.parse(form.dataset.options));
    const credential = form.dataset.passkey === "create"
      ? await navigator.credentials.create(options)
      : await navigator.credentials.get(options);
    form.elements.credential.value = answer(credential);
    form.submit();
  } catch (error) {
    problem.textContent = `Your browser did not use a passkey: ${error.message}`;
    problem.hidden = false;
  }
}

if (form && window.PublicKeyCredential) {
  form.addEventListener("submit", use);
  form.querySelector("button").disabled = false;
}
