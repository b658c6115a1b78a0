/* What the visitor agreed to. Nothing is sent and no id is made before that. */
const CHOICE = "tessera.consent", DEVICE = "tessera.device", PREFERENCES = "tessera.preferences";
const offered = option("purposes", "analytics personalization").split(/[\s,]+/).filter(Boolean);
const isDenied = navigator.globalPrivacyControl === true || navigator.doNotTrack === "1";

const purposes = () => (isDenied ? [] : (kept(CHOICE) ?? []).filter((purpose) => offered.includes(purpose)));
const agreedTo = (purpose) => purposes().includes(purpose);

function device() {
  if (!agreedTo("analytics")) return null;
  if (!kept(DEVICE)) keep(DEVICE, randomId());
  return kept(DEVICE);
}

function setConsent(chosen) {
  const before = purposes();
  const after = offered.filter((purpose) => chosen.includes(purpose));
  const withdrawn = before.filter((purpose) => !after.includes(purpose));
  const granted = after.filter((purpose) => !before.includes(purpose));
  if (withdrawn.length) enqueue("consent_withdrawn", { properties: { purposes: withdrawn } });
  keep(CHOICE, isDenied ? [] : after);
  if (granted.length && !isDenied) enqueue("consent_granted", { properties: { purposes: granted } });
  if (granted.includes("analytics") && identity) enqueue("identify");
  flush();
  if (!agreedTo("analytics")) {
    page.id = null;
    for (const name of [DEVICE, PREFERENCES]) keep(name, null);
  }
  if (granted.includes("analytics")) openPage();
  document.dispatchEvent(new CustomEvent("tessera:consent", { detail: { purposes: purposes() } }));
  return purposes();
}
