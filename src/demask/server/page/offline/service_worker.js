/**
 * Keeps the static page: after the first visit it works without a net, isolated from other pages.
 *
 * VERSION, FILES, PAGE_POLICY and WORKER_POLICY stand above; `demask page` writes them.
 */

const CACHE = `demask-${VERSION}`;
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
};

self.addEventListener("install", (event) => {
  const requests = FILES.map((name) => new Request(name, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => Promise.all(names.filter((name) => name.startsWith("demask-") && name !== CACHE).map((name) => caches.delete(name))));
  event.waitUntil(old.then(() => self.clients.claim()));
});

/** The page names what it uses of networks and runtime: {keep: [names]}. */
self.addEventListener("message", (event) => {
  const { keep } = event.data ?? {};
  if (!keep) return;
  const kept = caches.open(CACHE).then(async (cache) => {
    for (const name of keep) if (!(await cache.match(name))) await cache.add(name);
    event.source?.postMessage({ kept: keep.length });
  });
  event.waitUntil(kept.catch((error) => event.source?.postMessage({ failed: String(error) })));
});

self.addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  event.respondWith(answer(request, url));
});

async function answer(request, url) {
  const kept = await (await caches.open(CACHE)).match(request, { ignoreSearch: true });
  const found = kept ?? (await fetch(request));
  if (found.type === "opaqueredirect" || !found.ok) return found;
  const headers = new Headers(found.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  const inWorker = /\/(engine|runtime)\/[^/]+$/.test(url.pathname);
  headers.set("Content-Security-Policy", inWorker ? WORKER_POLICY : PAGE_POLICY);
  return new Response(found.body, { status: found.status, statusText: found.statusText, headers });
}
