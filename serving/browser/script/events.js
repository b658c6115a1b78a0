/* Events on their way to the service: in batches, again where it was busy, and with the last ones as the page goes. */
const BATCH = 20, MOST_WAITING = 500, WAIT_MS = 1000, LONGEST_MS = 60_000;
const waiting = [];
let timer = null, pause = WAIT_MS, isSending = false, isHurried = false, identity = null;

function enqueue(type, fields = {}) {
  const anonymous_id = device();
  if (!anonymous_id) return false;
  const { properties, ...known } = fields;
  waiting.push({
    event_id: randomId(), event_type: type, occurred_at: new Date().toISOString(), anonymous_id, consent: purposes(),
    ...(identity && { user_id: identity.user_id }), ...page.facts, language: navigator.language, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    screen_width: screen.width, screen_height: screen.height,
    network_type: navigator.connection?.effectiveType, ...known,
    properties: { ...(page.id && { page_view_id: page.id }), ...properties },
  });
  document.dispatchEvent(new CustomEvent("tessera:event", { detail: { event_type: type } }));
  waiting.splice(0, waiting.length - MOST_WAITING); // the oldest go first where the service is long away
  if (waiting.length >= BATCH) flush();
  else timer ??= setTimeout(flush, WAIT_MS);
  return true;
}

/* The page says who is signed in, and its server vouches for it. */
function identify(user_id, identity_token) {
  identity = user_id && identity_token ? { user_id, identity_token } : null;
  if (identity) enqueue("identify");
}

async function flush() {
  clearTimeout(timer);
  timer = null;
  if (isSending) isHurried = true;
  if (!waiting.length || isSending) return;
  isSending = true;
  await deliver(waiting.splice(0, BATCH));
  const isSoon = pause === WAIT_MS && (isHurried || waiting.length >= BATCH);
  isSending = isHurried = false;
  if (waiting.length) timer ??= setTimeout(flush, isSoon ? 0 : pause);
}

/* All at once, since a page that is left waits for no answer. */
function flushLeaving() {
  while (waiting.length) deliver(waiting.splice(0, BATCH), true);
}

async function deliver(batch, isLeaving = false) {
  const token = identity && { identity_token: identity.identity_token };
  try {
    const body = { events: batch, sent_at: new Date().toISOString(), ...token };
    const answer = await ask("/v1/events", body, isLeaving);
    for (const { index, error } of answer.rejected ?? []) console.warn("Tessera:", batch[index].event_type, error);
    pause = WAIT_MS;
  } catch (error) {
    if (error.status && error.status !== 429 && error.status < 500) {
      console.warn("Tessera:", error.message); // sending it again would change nothing
    } else {
      waiting.unshift(...batch);
      pause = Math.min(2 * pause, LONGEST_MS);
    }
  }
}
