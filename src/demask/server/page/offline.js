/** Keeps the page for the next visit, with or without a net. */

const policy = globalThis.trustedTypes?.createPolicy("demask-offline", { createScriptURL: (url) => url });

/** Let a service worker keep the page, the networks and the runtime that this browser uses. */
export async function keep(engine) {
  const root = document.documentElement;
  if (!("serviceWorker" in navigator)) return;
  try {
    const url = new URL("service_worker.js", document.baseURI).href;
    await navigator.serviceWorker.register(policy ? policy.createScriptURL(url) : url);
    navigator.serviceWorker.addEventListener("message", ({ data }) => {
      if (data?.kept) root.dataset.offline = "";
    });
    const [{ active }, { files }] = await Promise.all([navigator.serviceWorker.ready, engine.prepare()]);
    active.postMessage({ keep: files });
  } catch {
    // Without it the page works as long as there is a net.
  }
}
