/* What the Snowplow tracker lacks: hover duration, cursor travel, scroll depth and reversals, rage and dead clicks,
   abandoned forms and the dwell of a page. A plugin in Snowplow's sense: pass microInteractions() to newTracker's
   plugins. */
(function (root) {
  "use strict";
  const SCHEMA = "iglu:io.tessera/event/jsonschema/1-0-0";
  const HOVER_MS = 200; // below this the pointer only passes by
  const RAGE_CLICKS = 3, RAGE_MS = 700, RAGE_PX = 30;
  const REVERSAL_SCREENS = 0.25; // a shorter way back is a twitch of the finger
  const DEAD_MS = 500; // a click that changes nothing within this is dead
  const QUARTILES = [25, 50, 75, 100];
  const INTERACTIVE = "a, button, input, select, textarea, label, summary, video, audio, [role=button], [onclick]";

  function microInteractions() {
    let send = () => {};
    const opened = performance.now();
    let travelled = 0, last = null, reached = 0, left = false;
    let clicks = [];
    const forms = new Set();
    // What the page shows of the tracking itself is no answer to a click.
    const isOfTracking = (node) => !!(node.closest ? node : node.parentElement)?.closest("[data-of-tracking]");
    const itemOf = (element) => element?.closest?.("[data-item-id]")?.dataset ?? {};

    function report(type, fields) {
      send({ event: { schema: SCHEMA, data: { event_type: type, ...fields } } });
    }

    function watchHovers() {
      let hovered = null, since = 0;
      const leave = (now) => {
        if (hovered && now - since >= HOVER_MS) {
          const { itemId, slot } = hovered.dataset;
          report("hover", { value: Math.round(now - since), item_id: itemId, slot });
        }
        hovered = null;
      };
      document.addEventListener("mouseover", (event) => {
        const target = event.target.closest?.("[data-item-id]") ?? null;
        if (target === hovered) return;
        leave(performance.now());
        hovered = target;
        since = performance.now();
      });
      addEventListener("pagehide", () => leave(performance.now()));
    }

    function watchCursor() {
      document.addEventListener("mousemove", (event) => {
        if (last) travelled += Math.hypot(event.clientX - last.x, event.clientY - last.y);
        last = { x: event.clientX, y: event.clientY };
      }, { passive: true });
    }

    function watchScroll() {
      let turned = 0, farthest = 0; // where this direction began, and how far it went, in px
      const reverse = () => {
        const way = Math.abs(farthest - turned), back = REVERSAL_SCREENS * innerHeight;
        const isOnward = way === 0 || (scrollY - farthest) * (farthest - turned) >= 0;
        if (isOnward) {
          farthest = scrollY;
        } else if (Math.abs(scrollY - farthest) >= back) {
          if (way >= back) report("custom:scroll_reversal", {});
          turned = farthest;
          farthest = scrollY;
        }
      };
      const depth = () => {
        const page = document.documentElement;
        const seen = 100 * (scrollY + innerHeight) / Math.max(page.scrollHeight, 1);
        for (const quartile of QUARTILES) {
          if (seen >= quartile - 0.5 && reached < quartile && scrollY > 0) {
            reached = quartile;
            report("scroll", { value: quartile });
          }
        }
      };
      document.addEventListener("scroll", () => { depth(); reverse(); }, { passive: true });
    }

    function watchClicks() {
      document.addEventListener("click", (event) => {
        const now = performance.now();
        const here = { x: event.clientX, y: event.clientY, at: now };
        const near = (one) => now - one.at <= RAGE_MS && Math.hypot(one.x - here.x, one.y - here.y) <= RAGE_PX;
        clicks = [...clicks.filter(near), here];
        if (clicks.length === RAGE_CLICKS) {
          report("custom:rage_click", { item_id: itemOf(event.target).itemId, clicks: clicks.length });
        }
        if (event.target.closest?.(INTERACTIVE)) return;
        let changed = false;
        const alive = new MutationObserver((found) => { changed ||= found.some(({ target }) => !isOfTracking(target)); });
        alive.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
        const before = location.href;
        setTimeout(() => {
          alive.disconnect();
          if (!changed && location.href === before) {
            report("custom:dead_click", { element: event.target.tagName?.toLowerCase() });
          }
        }, DEAD_MS);
      }, { capture: true });
    }

    function watchForms() {
      document.addEventListener("input", (event) => event.target.form && forms.add(event.target.form));
      document.addEventListener("submit", (event) => forms.delete(event.target));
    }

    function leave() {
      if (left) return;
      left = true;
      for (const form of forms) report("form_abandon", { form_id: form.id });
      if (travelled > 0) report("cursor", { value: Math.round(travelled) });
      report("page_exit", { value: Math.round((performance.now() - opened) / 100) / 10 });
    }

    return {
      activateBrowserPlugin(tracker) {
        send = (event) => root.snowplowBrowserTracking.trackSelfDescribingEvent(event, [tracker.id]);
        watchHovers();
        watchCursor();
        watchScroll();
        watchClicks();
        watchForms();
        addEventListener("pagehide", leave);
      },
    };
  }

  root.tesseraMicroInteractions = microInteractions;
})(window);
