/* Lets the search work on pages that are opened from the disk. Browsers start no worker there, so that the worker's
   script runs in a hidden frame instead. The theme's plugin `offline` looks for a script of this name. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inner = this.frame.contentWindow;
      inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = inner.document.createElement("script");
      script.src = new URL(address, location.href).href;
      this.started = new Promise((resolve, reject) => Object.assign(script, { onload: resolve, onerror: reject }));
      inner.document.body.append(script);
    }

    postMessage(data) {
      this.started.then(() => {
        const inner = this.frame.contentWindow;
        inner.dispatchEvent(new inner.MessageEvent("message", { data }));
      });
    }

    terminate() {
      this.frame.remove();
    }
  };
}
