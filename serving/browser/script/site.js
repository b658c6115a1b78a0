/* What the script was embedded with, and what it keeps in the browser. */
const element = document.currentScript;
const service = new URL(element.src).origin;
const option = (name, otherwise = "") => element.dataset[name] ?? otherwise;
const memory = new Map(); // where the browser keeps nothing for the site, the page itself does

function keep(name, value) {
  memory.set(name, value);
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
  } catch { /* memory has it until the page is left */ }
}

function kept(name) {
  if (memory.has(name)) return memory.get(name);
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null; // no storage, or something else wrote there
  }
}

function randomId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function ask(path, body, keepalive = false) {
  const headers = { ...(option("key") && { Authorization: `Bearer ${option("key")}` }) };
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(service + path, {
    method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), keepalive, credentials: "omit",
  });
  const content = await answer.json().catch(() => null);
  if (answer.ok) return content;
  const error = new Error(`${path} answered ${answer.status}: ${content?.error?.message ?? content?.error ?? "no reason"}`);
  throw Object.assign(error, { status: answer.status });
}
