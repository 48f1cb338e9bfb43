/**
 * The page: a photo goes to the server, comes back without its face masks, and can be corrected.
 *
 * Sections: texts, state, talking to the server, opening a photo, the job, the hole, the stage,
 * the faces, the way in (drop, paste, choose, camera), wiring.
 *
 * Coordinates are pixels of the upright photo unless a name says otherwise. A `hole` is what is filled.
 */

// ---------------------------------------------------------------- texts

const plural = (n, one, many) => (n === 1 ? one : many).replace("#", n);

/** Every text of the page; a function where the text holds a number or a name. */
export const TEXTS = {
  en: {
    skip: "Skip to the content", language: "Language", dismiss: "Close", retry: "Try again", cancel: "Cancel",
    title: "Take the face mask off a photo.",
    lead: "Give a photo of people wearing face masks. Each mask is found and a plausible face is drawn in its place; nothing else in the photo changes.",
    dropHere: "Drop a photo here, or paste one", choose: "Choose a photo", take: "Take a photo", snap: "Take it",
    types: "JPEG, PNG or WebP", dropNow: "Drop the photo",
    inventedTitle: "The face is invented.", inventedText: "It is not the person’s face. Never use it to identify anyone.",
    privacyTitle: "The photo is not kept.",
    privacyText: "It goes to this server only, is worked on in memory, and is written neither to a disk nor to a log.",
    noticeLabel: "Notice", another: "Another photo", apiDocs: "HTTP API",
    view: "View", compare: "Before and after", editHole: "Correct the hole", before: "Before", after: "After: invented face",
    zoom: "Zoom", zoomIn: "Zoom in", zoomOut: "Zoom out", zoomFit: (z) => `Show the whole photo, now ${z} %`,
    brushTools: "Brush", brush: "Brush", add: "Add", erase: "Erase", size: "Size", sizeValue: (n) => `${n} pixels`,
    undo: "Undo", redo: "Redo", reset: "As found", runAgain: "Run again",
    brushHelp: "Paint over what is to be filled. By keyboard: Tab to the photo, move with the arrow keys, Space lowers and lifts the brush, E changes between add and erase, [ and ] change the size.",
    stage: "Photo", stageHole: "Hole editor",
    stageHelp: "Plus and minus zoom. When zoomed in, the arrow keys move the photo.",
    split: "Line between before and after", splitValue: (n) => `${n} % of the width shows the photo before`,
    download: "Download", saveName: (name, kb) => `${name}, ${kb}`,
    faces: "Faces", face: (n) => `Face ${n}`, faceOn: (n) => `Face ${n}, fill`,
    covered: (p) => `Face mask, ${p} sure`, bare: (p) => `No face mask, ${p} sure`, unknown: (p) => `Face found, ${p} sure`,
    stale: "The picture does not show your changes yet.",
    sending: (p) => `Sending the photo, ${p}`, finding: "Looking for faces …",
    drawing: (n) => plural(n, "Drawing # face …", "Drawing # faces …"),
    busy: (s) => `The server is busy. Trying again in ${s} s …`,
    restored: (n) => plural(n, "# face mask is gone.", "# face masks are gone."),
    restoredSpoken: (n) => plural(n, "Done. # face was restored. The face is invented.", "Done. # faces were restored. The faces are invented."),
    noFace: "No face found.", noFaceText: "Try a photo in which the head is upright and at least 40 pixels wide. Nothing was changed.",
    noCovering: "Nothing to remove.",
    noCoveringText: (n) => plural(n, "# face was found, and it wears no face mask.", "# faces were found, and none wears a face mask.") + " If one was missed, choose “Correct the hole” and paint it.",
    lookedAt: (n) => plural(n, "# face found.", "# faces found."), opening: "Opening …",
    lowered: "Brush down.", lifted: "Brush lifted.", adding: "Brush adds.", erasing: "Brush erases.",
    inside: "in the hole", outside: "not in the hole", cursor: (x, y, where) => `${x} % across, ${y} % down, ${where}.`,
    undone: "Undone.", redone: "Redone.", asFound: "The hole is as it was found.", switchedOn: (n) => `Face ${n} is now switched on.`,
    oneOnly: "One photo at a time: the first one was taken.", notShown: "This browser cannot show this kind of picture; the result can be downloaded all the same.",
    errorCancelled: ["Cancelled.", "Nothing was changed."],
    keyTitle: "This server asks for a key", keyText: "It is kept in this tab only and forgotten when the tab is closed.", keyLabel: "API key", keySend: "Use this key",
    keyWrong: "That key was not accepted.",
    request: (id) => `Request ${id}`,
    errorType: ["This is not a photo that can be used.", "It must be a JPEG, PNG or WebP picture, and not an animation."],
    errorBroken: ["This picture cannot be read.", "The file is damaged or cut short. Try the original file."],
    errorLarge: ["This photo is too large.", "The server takes no files or pictures of this size. Scale the photo down and try again."],
    mostPixels: (n) => "At most # megapixels.".replace("#", n), mostBytes: (n) => "At most # MB.".replace("#", n),
    errorBusy: ["The server is busy.", "It did not take the photo after several tries. Wait a minute, then try again."],
    errorSlow: ["This took too long.", "The server gave up. Try again, or try a smaller photo."],
    errorGone: ["The server cannot be reached.", "Check the connection and that `demask serve` is still running, then try again. The photo is still here."],
    errorKey: ["A key is needed.", "Without the right key this server does no work."],
    errorHoleAway: ["The hole touches no face that is switched on.", "Paint over a face in the list, or switch its face on."],
    errorNothingOn: ["No face is switched on.", "Switch on at least one face that wears a face mask."],
    errorCamera: ["The camera cannot be used.", "It is missing or this page may not use it. Choose a photo instead."],
    errorServer: ["The server made a mistake.", "The photo was not changed. Try again; if it happens again, report the request number."],
    errorPage: ["This page made a mistake.", "The photo was not changed. Reload the page and try again."],
    errorOther: ["The server refused this photo.", "It says:"],
  },
  de: {
    skip: "Zum Inhalt springen", language: "Sprache", dismiss: "Schließen", retry: "Noch einmal", cancel: "Abbrechen",
    title: "Nimm die Maske vom Foto.",
    lead: "Gib ein Foto von Menschen mit Gesichtsmasken. Jede Maske wird gefunden und durch ein glaubhaftes Gesicht ersetzt; sonst ändert sich am Foto nichts.",
    dropHere: "Foto hierher ziehen oder einfügen", choose: "Foto auswählen", take: "Foto aufnehmen", snap: "Aufnehmen",
    types: "JPEG, PNG oder WebP", dropNow: "Foto loslassen",
    inventedTitle: "Das Gesicht ist erfunden.", inventedText: "Es ist nicht das Gesicht dieses Menschen. Nie verwenden, um jemanden zu erkennen.",
    privacyTitle: "Das Foto wird nicht behalten.",
    privacyText: "Es geht nur an diesen Server, wird im Arbeitsspeicher bearbeitet und steht danach weder auf einer Platte noch in einem Protokoll.",
    noticeLabel: "Hinweis", another: "Anderes Foto", apiDocs: "HTTP-API",
    view: "Ansicht", compare: "Vorher und nachher", editHole: "Fläche korrigieren", before: "Vorher", after: "Nachher: erfundenes Gesicht",
    zoom: "Vergrößerung", zoomIn: "Größer", zoomOut: "Kleiner", zoomFit: (z) => `Ganzes Foto zeigen, jetzt ${z} %`,
    brushTools: "Pinsel", brush: "Pinsel", add: "Malen", erase: "Radieren", size: "Größe", sizeValue: (n) => `${n} Pixel`,
    undo: "Zurück", redo: "Vor", reset: "Wie gefunden", runAgain: "Neu berechnen",
    brushHelp: "Übermale, was gefüllt werden soll. Mit der Tastatur: mit Tab zum Foto, mit den Pfeiltasten bewegen, Leertaste senkt und hebt den Pinsel, E wechselt zwischen Malen und Radieren, [ und ] ändern die Größe.",
    stage: "Foto", stageHole: "Fläche bearbeiten",
    stageHelp: "Plus und Minus vergrößern und verkleinern. Vergrößert bewegen die Pfeiltasten das Foto.",
    split: "Linie zwischen vorher und nachher", splitValue: (n) => `${n} % der Breite zeigen das Foto vorher`,
    download: "Herunterladen", saveName: (name, kb) => `${name}, ${kb}`,
    faces: "Gesichter", face: (n) => `Gesicht ${n}`, faceOn: (n) => `Gesicht ${n} füllen`,
    covered: (p) => `Maske, zu ${p} sicher`, bare: (p) => `Keine Maske, zu ${p} sicher`, unknown: (p) => `Gesicht, zu ${p} sicher`,
    stale: "Das Bild zeigt deine Änderungen noch nicht.",
    sending: (p) => `Foto wird gesendet, ${p}`, finding: "Gesichter werden gesucht …",
    drawing: (n) => plural(n, "# Gesicht wird gezeichnet …", "# Gesichter werden gezeichnet …"),
    busy: (s) => `Der Server ist ausgelastet. Neuer Versuch in ${s} s …`,
    restored: (n) => plural(n, "# Maske ist weg.", "# Masken sind weg."),
    restoredSpoken: (n) => plural(n, "Fertig. # Gesicht wurde gezeichnet. Es ist erfunden.", "Fertig. # Gesichter wurden gezeichnet. Sie sind erfunden."),
    noFace: "Kein Gesicht gefunden.", noFaceText: "Versuche ein Foto, auf dem der Kopf aufrecht und mindestens 40 Pixel breit ist. Nichts wurde verändert.",
    noCovering: "Nichts zu entfernen.",
    noCoveringText: (n) => plural(n, "# Gesicht wurde gefunden, und es trägt keine Maske.", "# Gesichter wurden gefunden, und keines trägt eine Maske.") + " Wurde eine übersehen, wähle „Fläche korrigieren“ und male sie ein.",
    lookedAt: (n) => plural(n, "# Gesicht gefunden.", "# Gesichter gefunden."), opening: "Wird geöffnet …",
    lowered: "Pinsel unten.", lifted: "Pinsel oben.", adding: "Pinsel malt.", erasing: "Pinsel radiert.",
    inside: "in der Fläche", outside: "nicht in der Fläche", cursor: (x, y, where) => `${x} % von links, ${y} % von oben, ${where}.`,
    undone: "Zurückgenommen.", redone: "Wiederhergestellt.", asFound: "Die Fläche ist wie gefunden.", switchedOn: (n) => `Gesicht ${n} ist jetzt eingeschaltet.`,
    oneOnly: "Ein Foto auf einmal: das erste wurde genommen.", notShown: "Dieser Browser kann diese Bildart nicht zeigen; das Ergebnis lässt sich trotzdem herunterladen.",
    errorCancelled: ["Abgebrochen.", "Nichts wurde verändert."],
    keyTitle: "Dieser Server verlangt einen Schlüssel", keyText: "Er bleibt nur in diesem Tab und ist vergessen, sobald der Tab geschlossen wird.", keyLabel: "API-Schlüssel", keySend: "Schlüssel verwenden",
    keyWrong: "Dieser Schlüssel wurde nicht angenommen.",
    request: (id) => `Anfrage ${id}`,
    errorType: ["Dieses Foto lässt sich nicht verwenden.", "Es muss ein JPEG-, PNG- oder WebP-Bild sein und keine Animation."],
    errorBroken: ["Dieses Bild lässt sich nicht lesen.", "Die Datei ist beschädigt oder unvollständig. Versuche die Originaldatei."],
    errorLarge: ["Dieses Foto ist zu groß.", "Der Server nimmt keine Dateien oder Bilder dieser Größe. Verkleinere das Foto und versuche es noch einmal."],
    mostPixels: (n) => "Höchstens # Megapixel.".replace("#", n), mostBytes: (n) => "Höchstens # MB.".replace("#", n),
    errorBusy: ["Der Server ist ausgelastet.", "Er hat das Foto auch nach mehreren Versuchen nicht genommen. Warte eine Minute und versuche es noch einmal."],
    errorSlow: ["Das hat zu lange gedauert.", "Der Server hat aufgegeben. Versuche es noch einmal oder mit einem kleineren Foto."],
    errorGone: ["Der Server ist nicht zu erreichen.", "Prüfe die Verbindung und ob `demask serve` noch läuft, dann versuche es noch einmal. Das Foto ist noch hier."],
    errorKey: ["Ein Schlüssel ist nötig.", "Ohne den richtigen Schlüssel arbeitet dieser Server nicht."],
    errorHoleAway: ["Die Fläche berührt kein eingeschaltetes Gesicht.", "Übermale ein Gesicht aus der Liste oder schalte es ein."],
    errorNothingOn: ["Kein Gesicht ist eingeschaltet.", "Schalte mindestens ein Gesicht mit Maske ein."],
    errorCamera: ["Die Kamera lässt sich nicht verwenden.", "Sie fehlt oder ist dieser Seite nicht erlaubt. Wähle stattdessen ein Foto aus."],
    errorServer: ["Der Server hat einen Fehler gemacht.", "Das Foto wurde nicht verändert. Versuche es noch einmal; kommt es wieder vor, melde die Nummer der Anfrage."],
    errorPage: ["Diese Seite hat einen Fehler gemacht.", "Das Foto wurde nicht verändert. Lade die Seite neu und versuche es noch einmal."],
    errorOther: ["Der Server hat dieses Foto abgelehnt.", "Er sagt:"],
  },
  fr: {
    skip: "Aller au contenu", language: "Langue", dismiss: "Fermer", retry: "Réessayer", cancel: "Annuler",
    title: "Ôtez le masque d’une photo.",
    lead: "Donnez une photo de personnes portant un masque. Chaque masque est trouvé et remplacé par un visage plausible ; rien d’autre ne change dans la photo.",
    dropHere: "Déposez une photo ici, ou collez-la", choose: "Choisir une photo", take: "Prendre une photo", snap: "Prendre",
    types: "JPEG, PNG ou WebP", dropNow: "Déposez la photo",
    inventedTitle: "Le visage est inventé.", inventedText: "Ce n’est pas le visage de la personne. Ne l’utilisez jamais pour identifier quelqu’un.",
    privacyTitle: "La photo n’est pas conservée.",
    privacyText: "Elle ne va qu’à ce serveur, est traitée en mémoire et n’est écrite ni sur un disque ni dans un journal.",
    noticeLabel: "Avis", another: "Autre photo", apiDocs: "API HTTP",
    view: "Affichage", compare: "Avant et après", editHole: "Corriger la zone", before: "Avant", after: "Après : visage inventé",
    zoom: "Zoom", zoomIn: "Agrandir", zoomOut: "Réduire", zoomFit: (z) => `Montrer toute la photo, maintenant ${z} %`,
    brushTools: "Pinceau", brush: "Pinceau", add: "Ajouter", erase: "Effacer", size: "Taille", sizeValue: (n) => `${n} pixels`,
    undo: "Annuler", redo: "Rétablir", reset: "Comme trouvée", runAgain: "Recalculer",
    brushHelp: "Peignez sur ce qui doit être rempli. Au clavier : Tab jusqu’à la photo, flèches pour bouger, Espace abaisse et lève le pinceau, E passe d’ajouter à effacer, [ et ] changent la taille.",
    stage: "Photo", stageHole: "Éditeur de la zone",
    stageHelp: "Plus et moins règlent le zoom. Photo agrandie, les flèches la déplacent.",
    split: "Ligne entre avant et après", splitValue: (n) => `${n} % de la largeur montrent la photo d’avant`,
    download: "Télécharger", saveName: (name, kb) => `${name}, ${kb}`,
    faces: "Visages", face: (n) => `Visage ${n}`, faceOn: (n) => `Remplir le visage ${n}`,
    covered: (p) => `Masque, sûr à ${p}`, bare: (p) => `Sans masque, sûr à ${p}`, unknown: (p) => `Visage, sûr à ${p}`,
    stale: "L’image ne montre pas encore vos changements.",
    sending: (p) => `Envoi de la photo, ${p}`, finding: "Recherche des visages…",
    drawing: (n) => plural(n, "Dessin de # visage…", "Dessin de # visages…"),
    busy: (s) => `Le serveur est occupé. Nouvel essai dans ${s} s…`,
    restored: (n) => plural(n, "# masque est ôté.", "# masques sont ôtés."),
    restoredSpoken: (n) => plural(n, "Terminé. # visage a été dessiné. Il est inventé.", "Terminé. # visages ont été dessinés. Ils sont inventés."),
    noFace: "Aucun visage trouvé.", noFaceText: "Essayez une photo où la tête est droite et large d’au moins 40 pixels. Rien n’a été changé.",
    noCovering: "Rien à ôter.",
    noCoveringText: (n) => plural(n, "# visage a été trouvé, sans masque.", "# visages ont été trouvés, tous sans masque.") + " Si un masque a été manqué, choisissez « Corriger la zone » et peignez-le.",
    lookedAt: (n) => plural(n, "# visage trouvé.", "# visages trouvés."), opening: "Ouverture…",
    lowered: "Pinceau abaissé.", lifted: "Pinceau levé.", adding: "Le pinceau ajoute.", erasing: "Le pinceau efface.",
    inside: "dans la zone", outside: "hors de la zone", cursor: (x, y, where) => `${x} % depuis la gauche, ${y} % depuis le haut, ${where}.`,
    undone: "Annulé.", redone: "Rétabli.", asFound: "La zone est comme trouvée.", switchedOn: (n) => `Le visage ${n} est maintenant activé.`,
    oneOnly: "Une photo à la fois : la première a été prise.", notShown: "Ce navigateur ne sait pas montrer ce type d’image ; le résultat peut tout de même être téléchargé.",
    errorCancelled: ["Annulé.", "Rien n’a été changé."],
    keyTitle: "Ce serveur demande une clé", keyText: "Elle reste dans cet onglet et est oubliée à sa fermeture.", keyLabel: "Clé d’API", keySend: "Utiliser cette clé",
    keyWrong: "Cette clé n’a pas été acceptée.",
    request: (id) => `Requête ${id}`,
    errorType: ["Cette photo ne peut pas être utilisée.", "Il faut une image JPEG, PNG ou WebP, et pas une animation."],
    errorBroken: ["Cette image ne peut pas être lue.", "Le fichier est abîmé ou incomplet. Essayez le fichier d’origine."],
    errorLarge: ["Cette photo est trop grande.", "Le serveur ne prend ni fichiers ni images de cette taille. Réduisez la photo et réessayez."],
    mostPixels: (n) => "Au plus # mégapixels.".replace("#", n), mostBytes: (n) => "Au plus # Mo.".replace("#", n),
    errorBusy: ["Le serveur est occupé.", "Il n’a pas pris la photo après plusieurs essais. Attendez une minute, puis réessayez."],
    errorSlow: ["Cela a pris trop de temps.", "Le serveur a abandonné. Réessayez, ou essayez une photo plus petite."],
    errorGone: ["Le serveur est injoignable.", "Vérifiez la connexion et que `demask serve` tourne encore, puis réessayez. La photo est toujours là."],
    errorKey: ["Une clé est nécessaire.", "Sans la bonne clé, ce serveur ne travaille pas."],
    errorHoleAway: ["La zone ne touche aucun visage activé.", "Peignez sur un visage de la liste, ou activez-le."],
    errorNothingOn: ["Aucun visage n’est activé.", "Activez au moins un visage portant un masque."],
    errorCamera: ["La caméra ne peut pas être utilisée.", "Elle manque ou cette page n’y a pas droit. Choisissez plutôt une photo."],
    errorServer: ["Le serveur a fait une erreur.", "La photo n’a pas été changée. Réessayez ; si cela se répète, signalez le numéro de la requête."],
    errorPage: ["Cette page a fait une erreur.", "La photo n’a pas été changée. Rechargez la page et réessayez."],
    errorOther: ["Le serveur a refusé cette photo.", "Il dit :"],
  },
};

/** Which text tells of an error code of the API; what is not here goes by HTTP status. */
const TEXT_OF_CODE = {
  photo_unreadable: "errorBroken", photo_unsupported: "errorType", photo_too_large: "errorLarge",
};
const TEXT_OF_STATUS = {
  401: "errorKey", 403: "errorKey", 408: "errorSlow", 413: "errorLarge", 415: "errorType", 503: "errorBusy", 504: "errorSlow",
};

const $ = (id) => document.getElementById(id);
let language = "en";

function t(key, ...values) {
  const text = TEXTS[language][key];
  return typeof text === "function" ? text(...values) : text;
}

const percent = (part) => new Intl.NumberFormat(language, { style: "percent" }).format(part);

function fileSize(bytes) {
  const [unit, divisor] = bytes >= 1e6 ? ["megabyte", 1e6] : ["kilobyte", 1e3];
  const digits = { maximumFractionDigits: unit === "megabyte" ? 1 : 0 };
  return new Intl.NumberFormat(language, { style: "unit", unit, ...digits }).format(bytes / divisor);
}

function firstLanguage() {
  const wanted = [stored(localStorage, "demask-language"), ...(navigator.languages ?? [navigator.language])];
  return wanted.map((name) => name?.slice(0, 2)).find((name) => name in TEXTS) ?? "en";
}

/** Storage may be forbidden; the page works without it. */
function stored(storage, name, value) {
  try {
    if (value !== undefined) storage.setItem(name, value);
    return storage.getItem(name);
  } catch {
    return value ?? null;
  }
}

function setLanguage(name) {
  language = name;
  document.documentElement.lang = name;
  $("language").value = name;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel, zoomPercent()));
  }
  showWords();
  if (state.problem) showProblem(state.problem);
  if (state.file) refresh();
}

/** Tell a screen reader; the empty moment makes it read the same words twice. */
function say(text) {
  $("live").textContent = "";
  setTimeout(() => ($("live").textContent = text), 60);
}

// ---------------------------------------------------------------- state

const FRESH = {
  file: null, // what was given, a File
  url: "", // its object URL
  width: 0, height: 0, // of the upright photo
  faces: [], // as the API tells them, and `on`
  found: null, // ImageBitmap of the hole as found, white = fill; null where none was
  strokes: [], undone: [], // corrections: {kind: "add" | "erase", size, points} or {kind: "reset"}
  result: null, // {url, name, bytes, applied}: the last restored photo, and the choices it shows
  words: null, // () => [headline, subline]
  problem: null,
  mode: "compare", // or "hole"
  split: 0.5,
  zoom: 1, centre: [0.5, 0.5], // of the view, in parts of the photo
  lit: -1, // index of the face pointed at in the list
};
const state = { ...FRESH, busy: null, tool: "add", cursor: [0.5, 0.5], lowered: false };

/** What a run depends on besides the photo; compared to tell whether the picture is stale. */
const choices = () => JSON.stringify([state.faces.map((face) => face.on), corrections()]);

/** Strokes since the hole was last put back to as found. */
const corrections = () => state.strokes.slice(state.strokes.findLastIndex((stroke) => stroke.kind === "reset") + 1);

// ---------------------------------------------------------------- talking to the server

/** What went wrong, in the words of the page: `key` is one of the error texts. */
class Problem extends Error {
  constructor(key, { detail = "", request = "", limits = {} } = {}) {
    super(key);
    Object.assign(this, { key, detail, request, limits });
  }
}

const MOST_TRIES = 6;
const cancelled = () => new DOMException("cancelled", "AbortError");

/** POST a form; waits and tries again while the server is busy. Resolves to the parsed answer. */
async function post(path, fields, signal, whileWorking) {
  for (let tries = 1; ; tries++) {
    const answer = await send(path, fields, signal, whileWorking);
    const { status, body } = answer;
    if (status >= 200 && status < 300) return body;
    if (status === 503 && tries < MOST_TRIES) {
      await wait(Math.min(Math.max(answer.retryAfter, 1), 30), signal);
      continue;
    }
    if (status === 401 && (await askForKey())) continue;
    const { code = "", message = "", details } = body?.error ?? {};
    const key = TEXT_OF_CODE[code] ?? TEXT_OF_STATUS[status] ?? (status >= 500 || status < 400 ? "errorServer" : "errorOther");
    throw new Problem(key, { detail: message, request: body?.request_id ?? "", limits: details ?? {} });
  }
}

/** One request. XMLHttpRequest, because fetch does not tell how much was sent. */
function send(path, fields, signal, whileWorking) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    request.setRequestHeader("Accept", "application/json");
    const key = stored(sessionStorage, "demask-key");
    if (key) request.setRequestHeader("Authorization", `Bearer ${key}`);
    request.upload.onprogress = ({ loaded, total }) => {
      if (loaded < total) progress(() => t("sending", percent(loaded / total)), loaded / total);
    };
    request.upload.onload = () => progress(whileWorking);
    request.onload = () =>
      resolve({ status: request.status, body: request.response, retryAfter: Number(request.getResponseHeader("Retry-After")) });
    request.onerror = () => reject(new Problem("errorGone"));
    request.onabort = () => reject(cancelled());
    signal.addEventListener("abort", () => request.abort(), { once: true });
    if (signal.aborted) return reject(cancelled());
    progress(whileWorking);
    request.send(form);
  });
}

async function wait(seconds, signal) {
  for (let left = Math.ceil(seconds); left > 0; left--) {
    progress(() => t("busy", left), 1 - left / seconds);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (signal.aborted) throw cancelled();
  }
}

/** Ask for the API key; false when the person would rather not. */
function askForKey() {
  const dialog = $("key");
  $("key-value").value = "";
  dialog.returnValue = "";
  $("key-wrong").hidden = !stored(sessionStorage, "demask-key");
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "given";
      if (given) stored(sessionStorage, "demask-key", $("key-value").value.trim());
      $("key-value").value = "";
      resolve(given);
    }, { once: true });
  });
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Show what is going on; without `part` nobody knows how long it takes. */
function progress(words, part) {
  state.progress = words;
  $("progress").hidden = !words;
  if (!words) return;
  $("progress-text").textContent = words();
  if (part === undefined) $("progress-bar").removeAttribute("value");
  else $("progress-bar").value = part;
}

// ---------------------------------------------------------------- opening a photo, and the job

const TYPES = /^image\/(jpeg|png|webp|avif|heic|heif)$/;

/** Take a photo from wherever it came, and do the whole job on it. */
async function open(file) {
  closeProblem();
  // A type that the browser does not know is left to the server to judge.
  if (file.type && !TYPES.test(file.type)) return showProblem(new Problem("errorType"), () => $("file").click());
  for (const url of [state.url, state.result?.url]) if (url) URL.revokeObjectURL(url);
  state.found?.close();
  state.busy?.abort();
  state.busy = new AbortController();
  Object.assign(state, FRESH, { file, url: URL.createObjectURL(file), strokes: [], undone: [], words: () => [t("opening"), ""] });
  $("start").hidden = true;
  $("work").hidden = false;
  $("work").setAttribute("aria-busy", "true");
  $("after").removeAttribute("src");
  showWords();
  $("headline").focus();
  const before = $("before");
  before.src = state.url;
  await before.decode().then(
    () => Object.assign(state, { width: before.naturalWidth, height: before.naturalHeight, displayable: true }),
    () => Object.assign(state, { width: 4, height: 3, displayable: false }),
  );
  if (state.file !== file) return;
  refresh();
  await job(find);
}

/** Run one task with a cancel button and one place for what goes wrong. */
async function job(task) {
  state.busy?.abort();
  const control = new AbortController();
  state.busy = control;
  closeProblem();
  refresh();
  try {
    await task(control.signal);
  } catch (error) {
    if (state.busy !== control) return;
    const unforeseen = error.name === "AbortError" ? new Problem("errorCancelled") : new Problem("errorPage", { detail: String(error) });
    showProblem(error instanceof Problem ? error : unforeseen, () => job(task));
    if (!state.faces.length) state.words = () => [state.file.name, ""];
  } finally {
    if (state.busy === control) {
      state.busy = null;
      progress(null);
      showWords();
      refresh();
    }
  }
}

async function find(signal) {
  const file = state.file;
  const answer = await post("/v1/find?hole=true", { photo: file }, signal, () => t("finding"));
  if (signal.aborted) throw cancelled();
  state.found = answer.hole ? await createImageBitmap(new Blob([bytesOf(answer.hole)], { type: "image/png" })) : null;
  Object.assign(state, {
    width: answer.width, height: answer.height,
    faces: answer.faces.map((face) => ({ ...face, on: face.covered === true })),
  });
  foundAlpha.whole = null;
  const sizes = state.faces.map(({ box: [x0, , x1] }) => x1 - x0);
  setBrush(Math.max(4, (sizes.length ? Math.max(...sizes) : state.width / 4) / 8));
  const covered = state.faces.filter((face) => face.covered).length;
  const notShown = () => (state.displayable ? "" : ` ${t("notShown")}`);
  if (!state.faces.length) state.words = () => [t("noFace"), t("noFaceText") + notShown()];
  else if (!covered) state.words = () => [t("noCovering"), t("noCoveringText", state.faces.length) + notShown()];
  else state.words = () => [t("lookedAt", state.faces.length), state.file.name + notShown()];
  showWords();
  if (covered) await restore(signal);
  else say($("headline").textContent + " " + $("subline").textContent);
}

async function restore(signal) {
  const edited = corrections().length > 0;
  const on = state.faces.filter((face) => face.on);
  if (!on.length) throw new Problem("errorNothingOn");
  // A hole that was corrected counts as it is: a face whose hole is all erased is left alone.
  const chosen = on.filter((face) => (edited ? holeIn(face.box) : face.covered));
  if (!chosen.length) throw new Problem(edited ? "errorHoleAway" : "errorNothingOn");
  const applied = choices();
  const fields = { photo: state.file, faces: chosen.map((face) => face.index).join(",") };
  if (edited) fields.hole = new File([await holePng()], "hole.png", { type: "image/png" });
  const answer = await post("/v1/remove?format=json", fields, signal, () => t("drawing", chosen.length));
  if (signal.aborted) throw cancelled();
  const bytes = bytesOf(answer.photo.base64);
  const blob = new Blob([bytes], { type: answer.photo.media_type });
  if (state.result) URL.revokeObjectURL(state.result.url);
  const restored = answer.faces.filter((face) => face.status === "restored"), done = restored.length;
  if (!state.result && done) {
    // The line starts through the middle of the largest face, where the difference is.
    const sizeOf = ({ box }) => box[2] - box[0];
    const { box } = restored.reduce((one, other) => (sizeOf(other) > sizeOf(one) ? other : one));
    state.split = Math.min(0.9, Math.max(0.1, (box[0] + box[2]) / 2 / state.width));
  }
  state.result = { url: URL.createObjectURL(blob), name: saveName(answer.photo.media_type), bytes: bytes.length, applied };
  $("after").src = state.result.url;
  await $("after").decode().catch(() => {}); // Undisplayable kinds can still be downloaded.
  state.words = () => [t("restored", done), `${state.file.name}, ${state.width}\u00a0×\u00a0${state.height}`];
  setMode("compare");
  const lost = document.activeElement;
  if (!lost || lost === document.body || lost.closest("[hidden]")) $("headline").focus();
  say(t("restoredSpoken", done));
}

/** stem-demasked.suffix; the suffix follows the picture's kind where the name tells another or none. */
function saveName(mediaType) {
  const kinds = {
    "image/jpeg": ["jpg", "jpeg", "jpe", "jfif"], "image/png": ["png"], "image/webp": ["webp"],
    "image/avif": ["avif"], "image/heic": ["heic", "heif"], "image/heif": ["heif", "heic"], "image/tiff": ["tif", "tiff"],
  };
  const [, stem, suffix] = /^(.*?)(?:\.([^.]*))?$/s.exec(state.file.name);
  const fitting = kinds[mediaType] ?? [mediaType.split("/")[1] ?? "img"];
  return `${stem || "photo"}-demasked.${fitting.includes(suffix?.toLowerCase()) ? suffix : fitting[0]}`;
}

function showProblem(problem, again) {
  state.problem = problem;
  if (again !== undefined) problem.again = again;
  const [title, text] = t(problem.key);
  $("problem-title").textContent = title;
  const { max_megapixels: mostPixels, max_body_bytes: mostBytes } = problem.limits;
  const limit = mostPixels ? t("mostPixels", mostPixels) : mostBytes ? t("mostBytes", Math.floor(mostBytes / 1e6)) : "";
  $("problem-text").textContent = `${text} ${problem.key === "errorOther" ? problem.detail : limit}`;
  const small = [problem.key !== "errorOther" && problem.detail, problem.request && t("request", problem.request)];
  $("problem-request").textContent = small.filter(Boolean).join(" · ");
  $("retry").hidden = !problem.again;
  if ($("problem").hidden) {
    $("problem").hidden = false;
    $("problem").scrollIntoView({ block: "nearest" });
  }
}

function closeProblem() {
  state.problem = null;
  $("problem").hidden = true;
}

function showWords() {
  const [headline, subline] = state.words?.() ?? ["", ""];
  $("headline").textContent = headline;
  $("subline").textContent = subline;
  document.title = headline ? `${headline} · demask` : "demask";
  if (state.progress) $("progress-text").textContent = state.progress();
}

// ---------------------------------------------------------------- the hole

const canvas = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

/** Part of the found hole as opacity instead of white on black, on a canvas of [w, h] pixels. */
function foundAlpha(x, y, width, height, w, h) {
  const made = canvas(w, h);
  if (!state.found) return made;
  const context = made.getContext("2d", { willReadFrequently: true });
  context.drawImage(state.found, x, y, width, height, 0, 0, w, h);
  const pixels = context.getImageData(0, 0, w, h);
  for (let i = 0; i < pixels.data.length; i += 4) pixels.data[i + 3] = pixels.data[i];
  context.putImageData(pixels, 0, 0);
  return made;
}

function drawStroke(context, { kind, size, points }) {
  context.globalCompositeOperation = kind === "add" ? "source-over" : "destination-out";
  context.lineWidth = size;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(...points[0]);
  for (const [x, y] of points) context.lineTo(x + 0.01, y);
  context.stroke();
}

/** A face's box and a margin, as far as its hole may reach. */
function reach({ box: [x0, y0, x1, y1] }) {
  const margin = 0.25 * Math.max(x1 - x0, y1 - y0);
  return [x0 - margin, y0 - margin, x1 - x0 + 2 * margin, y1 - y0 + 2 * margin];
}

/**
 * The hole that would be sent, as opacity: found, corrected, and without the faces switched off.
 *
 * Part of the photo at `scale`; `whole` keeps the found part for the next call.
 */
function drawHole(x, y, width, height, scale, whole = false) {
  const w = Math.max(1, Math.round(width * scale)), h = Math.max(1, Math.round(height * scale));
  let base = whole ? foundAlpha.whole : null;
  if (!base || base.width !== w || base.height !== h) base = foundAlpha(x, y, width, height, w, h);
  if (whole) foundAlpha.whole = base;
  const painted = canvas(w, h), context = painted.getContext("2d");
  context.drawImage(base, 0, 0);
  context.setTransform(w / width, 0, 0, h / height, (-x * w) / width, (-y * h) / height);
  for (const stroke of corrections()) drawStroke(context, stroke);
  if (state.faces.every((face) => face.on)) return painted;

  const chosen = canvas(w, h), part = chosen.getContext("2d", { willReadFrequently: true });
  part.drawImage(painted, 0, 0);
  part.setTransform(context.getTransform());
  for (const face of state.faces) if (!face.on) part.clearRect(...reach(face));
  // Where a face that is on shares pixels with one that is off, the one that is on keeps them.
  part.beginPath();
  for (const face of state.faces) if (face.on) part.rect(...reach(face));
  part.clip();
  part.resetTransform();
  part.globalCompositeOperation = "copy";
  part.drawImage(painted, 0, 0);
  return chosen;
}

const MOST_VIEW_PIXELS = 1600;
const viewScale = () => Math.min(1, MOST_VIEW_PIXELS / Math.max(state.width, state.height));

/** The hole at the size it is shown, with its colour. */
function showHole() {
  const view = $("hole-view"), hole = drawHole(0, 0, state.width, state.height, viewScale(), true);
  Object.assign(view, { width: hole.width, height: hole.height });
  const context = view.getContext("2d", { willReadFrequently: true });
  context.drawImage(hole, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--hole");
  context.fillRect(0, 0, view.width, view.height);
}

let holeAwaits = false;
function showHoleSoon() {
  if (holeAwaits) return;
  holeAwaits = true;
  requestAnimationFrame(() => {
    holeAwaits = false;
    if (state.file) showHole();
  });
}

/** Whether the hole to be sent has a pixel in the box. */
function holeIn([x0, y0, x1, y1]) {
  const scale = viewScale(), hole = drawHole(0, 0, state.width, state.height, scale, true);
  const left = Math.max(0, Math.floor(x0 * scale)), top = Math.max(0, Math.floor(y0 * scale));
  const right = Math.min(hole.width, Math.ceil(x1 * scale)), bottom = Math.min(hole.height, Math.ceil(y1 * scale));
  if (right <= left || bottom <= top) return false;
  const { data } = hole.getContext("2d").getImageData(left, top, right - left, bottom - top);
  return data.some((value, i) => i % 4 === 3 && value > 127);
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function pngChunk(kind, body) {
  const chunk = new Uint8Array(body.length + 12), view = new DataView(chunk.buffer);
  view.setUint32(0, body.length);
  chunk.set(new TextEncoder().encode(kind), 4);
  chunk.set(body, 8);
  let crc = ~0;
  for (const byte of chunk.subarray(4, -4)) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  view.setUint32(chunk.length - 4, ~crc);
  return chunk;
}

/**
 * The hole at the photo's own size as a PNG of one bit per pixel, white = fill.
 *
 * Drawn in strips and packed by hand: a canvas as large as a large photo is more than phones allow.
 */
async function holePng() {
  const { width, height } = state;
  const zip = new CompressionStream("deflate"), writer = zip.writable.getWriter();
  const packed = new Response(zip.readable).arrayBuffer();
  for (let y = 0; y < height; y += 256) {
    const rows = Math.min(256, height - y);
    const { data } = drawHole(0, y, width, rows, 1).getContext("2d").getImageData(0, 0, width, rows);
    const stride = 1 + Math.ceil(width / 8), bits = new Uint8Array(rows * stride);
    for (let row = 0, i = 3; row < rows; row++) {
      for (let x = 0; x < width; x++, i += 4) if (data[i] > 127) bits[row * stride + 1 + (x >> 3)] |= 128 >> (x & 7);
    }
    await writer.write(bits);
  }
  await writer.close();
  const header = new Uint8Array(13), view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 1;
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const chunks = [pngChunk("IHDR", header), pngChunk("IDAT", new Uint8Array(await packed)), pngChunk("IEND", new Uint8Array(0))];
  return new Blob([signature, ...chunks], { type: "image/png" });
}

function beginStroke(point) {
  state.undone = [];
  state.strokes.push({ kind: state.tool, size: state.brush, points: [point] });
  strokeTo(point);
}

function strokeTo([x, y]) {
  const stroke = state.strokes.at(-1);
  stroke.points.push([Math.round(x * 10) / 10, Math.round(y * 10) / 10]);
  if (stroke.kind === "add") {
    // Who paints over a face wants it filled.
    for (const face of state.faces) {
      const [x0, y0, x1, y1] = face.box;
      if (face.on || x < x0 || x > x1 || y < y0 || y > y1) continue;
      face.on = true;
      say(t("switchedOn", face.index + 1));
    }
  }
  showHoleSoon();
}

function undo() {
  if (!state.strokes.length) return;
  state.undone.push(state.strokes.pop());
  say(t("undone"));
  refresh();
}

function redo() {
  if (!state.undone.length) return;
  state.strokes.push(state.undone.pop());
  say(t("redone"));
  refresh();
}

function resetHole() {
  if (!corrections().length) return;
  state.undone = [];
  state.strokes.push({ kind: "reset" });
  say(t("asFound"));
  refresh();
}

/** Brush width in pixels of the photo; the slider is logarithmic, so small ones can be set as well. */
const brushRange = () => [2, Math.max(16, Math.min(state.width, state.height) / 2)];

function setBrush(pixels) {
  const [least, most] = brushRange();
  state.brush = Math.round(Math.min(Math.max(pixels, least), most));
  $("size").value = (100 * Math.log(state.brush / least)) / Math.log(most / least);
  showBrushSize();
}

function showBrushSize() {
  $("size").setAttribute("aria-valuetext", t("sizeValue", state.brush));
  placeBrush();
}

function setTool(tool) {
  state.tool = tool;
  document.querySelector(`input[name=tool][value=${tool}]`).checked = true;
}

// ---------------------------------------------------------------- the stage

const stage = $("stage");
const zoomPercent = () => Math.round(state.zoom * 100);
const MOST_ZOOM = 16;

/** Where the photo lies in the stage, in CSS pixels, and how many of them one photo pixel is. */
function layout() {
  const { clientWidth: stageWidth, clientHeight: stageHeight } = stage;
  const scale = Math.min(stageWidth / state.width, stageHeight / state.height) * state.zoom;
  const width = state.width * scale, height = state.height * scale;
  const place = (space, size, centre) => (size <= space ? (space - size) / 2 : Math.min(0, Math.max(space - size, space / 2 - centre * size)));
  const left = place(stageWidth, width, state.centre[0]), top = place(stageHeight, height, state.centre[1]);
  return { scale, width, height, left, top, stageWidth, stageHeight };
}

/** Grey a button without `disabled`, which would throw the focus off it. */
const allow = (id, allowed) => $(id).setAttribute("aria-disabled", String(!allowed));

/** Put photo, line and brush where zoom, centre and the stage's size say. */
function place() {
  if (!state.width) return;
  stage.style.aspectRatio = `${state.width} / ${state.height}`;
  const edits = state.mode === "hole", done = state.result !== null;
  const { left, top, width, height, stageWidth } = layout();
  Object.assign($("layers").style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  stage.classList.toggle("zoomed", state.zoom > 1);
  stage.classList.toggle("hole", edits);
  stage.classList.toggle("idle", !edits && !done && state.zoom === 1);
  $("zoom-fit").textContent = percent(state.zoom);
  $("zoom-fit").setAttribute("aria-label", t("zoomFit", zoomPercent()));
  allow("zoom-out", state.zoom > 1);
  allow("zoom-in", state.zoom < MOST_ZOOM);

  // The line is a part of what can be seen of the photo, so it can always be reached.
  const compares = done && !edits;
  for (const id of ["after", "split", "chip-before", "chip-after"]) $(id).hidden = !compares;
  const from = Math.max(0, left), to = Math.min(stageWidth, left + width);
  const line = from + state.split * (to - from);
  $("split").style.left = `${line}px`;
  $("split").setAttribute("aria-label", t("split"));
  $("split").setAttribute("aria-valuenow", Math.round(state.split * 100));
  $("split").setAttribute("aria-valuetext", t("splitValue", Math.round(state.split * 100)));
  $("before").style.clipPath = compares ? `inset(0 ${left + width - line}px 0 0)` : "";
  $("after").style.clipPath = `inset(0 0 0 ${line - left}px)`;
  // A label whose side of the line is too narrow for it would name the other side.
  $("chip-before").style.opacity = line > $("chip-before").offsetWidth + 16 ? 1 : 0;
  $("chip-after").style.opacity = line < stageWidth - $("chip-after").offsetWidth - 16 ? 1 : 0;

  placeBrush();
}

/** Show everything anew. */
function refresh() {
  if (!state.width) return;
  place();
  const edits = state.mode === "hole", done = state.result !== null;
  $("work").setAttribute("aria-busy", String(Boolean(state.busy)));
  stage.setAttribute("aria-label", t(edits ? "stageHole" : "stage"));
  stage.setAttribute("role", edits ? "application" : "group");
  $("stage-help").textContent = t(edits ? "brushHelp" : "stageHelp");
  $("before").alt = t("before");
  $("after").alt = t("after");
  $("tools").hidden = !edits;
  $("modes").hidden = !state.faces.length;
  $("hole-view").hidden = !edits;
  if (edits) showHole();
  showBoxes(edits);
  showFaces();
  allow("undo", state.strokes.length > 0);
  allow("redo", state.undone.length > 0);
  allow("reset", corrections().length > 0);
  const stale = state.faces.length > 0 && !state.busy && state.result?.applied !== choices() && (done || corrections().length > 0 || state.faces.some((face) => face.on));
  $("stale").hidden = !stale;
  $("run-faces").hidden = !stale || edits;
  $("run-faces").classList.toggle("primary", stale);
  for (const button of document.querySelectorAll(".run")) button.disabled = Boolean(state.busy);
  for (const input of document.querySelectorAll("#modes input")) input.disabled = Boolean(state.busy);

  // Where nothing is drawn, nothing is invented.
  $("notice").hidden = !done && !state.busy;
  $("save").hidden = !done;
  if (done) {
    Object.assign($("download"), { href: state.result.url, download: state.result.name });
    $("save-name").textContent = t("saveName", state.result.name, fileSize(state.result.bytes));
  }
}

function showBoxes(always) {
  const parts = state.faces.map(({ box: [x0, y0, x1, y1], on, index }) => {
    const box = document.createElement("i");
    Object.assign(box.style, {
      left: `${(100 * x0) / state.width}%`, top: `${(100 * y0) / state.height}%`,
      width: `${(100 * (x1 - x0)) / state.width}%`, height: `${(100 * (y1 - y0)) / state.height}%`,
    });
    box.dataset.number = index + 1;
    box.classList.toggle("off", !on);
    box.classList.toggle("lit", index === state.lit);
    box.hidden = !(always || index === state.lit || !state.result);
    return box;
  });
  $("boxes").replaceChildren(...parts);
}

function setMode(mode) {
  state.mode = mode;
  state.lowered = false;
  document.querySelector(`input[name=mode][value=${mode}]`).checked = true;
  refresh();
}

/** Zoom by a factor, keeping the point of the stage at (x, y) where it is. */
function zoomBy(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  if (!state.width) return;
  const old = layout();
  const at = [(x - old.left) / old.width, (y - old.top) / old.height];
  state.zoom = Math.min(MOST_ZOOM, Math.max(1, state.zoom * factor));
  if (state.zoom < 1.02) state.zoom = 1;
  const { width, height } = layout();
  state.centre = [at[0] + (stage.clientWidth / 2 - x) / width, at[1] + (stage.clientHeight / 2 - y) / height];
  settle();
}

function panBy(dx, dy) {
  const { width, height } = layout();
  state.centre = [state.centre[0] - dx / width, state.centre[1] - dy / height];
  settle();
}

/** Take the centre from where the photo came to lie, so that panning past an edge leaves no debt. */
function settle() {
  const { left, top, width, height, stageWidth, stageHeight } = layout();
  state.centre = [(stageWidth / 2 - left) / width, (stageHeight / 2 - top) / height];
  place();
}

const toPhoto = (x, y) => {
  const { left, top, scale } = layout();
  return [(x - left) / scale, (y - top) / scale];
};

function setSplit(part) {
  state.split = Math.min(1, Math.max(0, part));
  place();
}

function splitAt(x) {
  const { left, width, stageWidth } = layout();
  const from = Math.max(0, left), to = Math.min(stageWidth, left + width);
  setSplit((x - from) / (to - from));
}

/** The ring that shows the brush, at `state.cursor` (in parts of the photo). */
function placeBrush(shown = !$("brush").hidden) {
  const ring = $("brush");
  ring.hidden = !(shown && state.mode === "hole" && state.width);
  if (ring.hidden) return;
  const { left, top, width, height, scale } = layout();
  const size = Math.max(8, state.brush * scale);
  Object.assign(ring.style, {
    width: `${size}px`, height: `${size}px`,
    left: `${left + state.cursor[0] * width - size / 2}px`, top: `${top + state.cursor[1] * height - size / 2}px`,
  });
  ring.classList.toggle("down", state.lowered);
}

const pointers = new Map();
let gesture = null; // "split" | "pan" | "paint" | "pinch"

function pointerAt(event) {
  const box = stage.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function pointerDown(event) {
  if (event.button !== 0 || event.target.closest("#progress") || state.busy) return;
  const [x, y] = pointerAt(event);
  pointers.set(event.pointerId, [x, y]);
  stage.setPointerCapture(event.pointerId);
  if (pointers.size === 2) {
    // The second finger shows that the first did not mean to paint.
    if (gesture === "paint") state.strokes.pop();
    gesture = "pinch";
  } else if (state.mode === "hole") {
    gesture = "paint";
    moveCursor(x, y);
    beginStroke(toPhoto(x, y));
  } else if (event.target.closest("#split")) gesture = "split";
  else if (state.zoom > 1) gesture = "pan";
  else if (state.result) {
    gesture = "split";
    splitAt(x);
  }
}

function pointerMove(event) {
  const [x, y] = pointerAt(event), last = pointers.get(event.pointerId);
  if (state.mode === "hole" && event.pointerType !== "touch") {
    moveCursor(x, y);
    placeBrush(true);
  }
  if (!last) return;
  if (gesture === "pinch") {
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const before = Math.hypot(last[0] - other[0], last[1] - other[1]);
      const now = Math.hypot(x - other[0], y - other[1]);
      zoomBy(now / Math.max(before, 1), (x + other[0]) / 2, (y + other[1]) / 2);
      panBy((x - last[0]) / 2, (y - last[1]) / 2);
    }
  } else if (gesture === "paint") {
    for (const each of event.getCoalescedEvents?.() ?? [event]) strokeTo(toPhoto(...pointerAt(each)));
  } else if (gesture === "pan") panBy(x - last[0], y - last[1]);
  else if (gesture === "split") splitAt(x);
  pointers.set(event.pointerId, [x, y]);
}

function pointerUp(event) {
  if (!pointers.delete(event.pointerId)) return;
  if (event.type === "pointercancel" && gesture === "paint") state.strokes.pop();
  if (!pointers.size) gesture = null;
  refresh();
}

function moveCursor(x, y) {
  const [px, py] = toPhoto(x, y);
  state.cursor = [px / state.width, py / state.height];
}

function wheel(event) {
  if (!state.width || (!event.ctrlKey && !event.metaKey && state.zoom === 1)) return;
  event.preventDefault();
  if (event.ctrlKey || event.metaKey) zoomBy(Math.exp(-event.deltaY / 200), ...pointerAt(event));
  else panBy(-event.deltaX, -event.deltaY);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function stageKey(event) {
  if (event.target !== stage || event.altKey || event.ctrlKey || event.metaKey || !state.width) return;
  const arrow = ARROWS[event.key];
  if (event.key === "+" || event.key === "=") zoomBy(1.5);
  else if (event.key === "-") zoomBy(1 / 1.5);
  else if (event.key === "0") zoomBy(0);
  else if (state.mode === "hole" && !state.busy) {
    if (arrow) moveByKey(arrow, event.shiftKey);
    else if (event.key === " ") {
      state.lowered = !state.lowered;
      if (state.lowered) beginStroke(cursorPoint());
      say(t(state.lowered ? "lowered" : "lifted"));
      refresh();
    } else if (event.key === "Escape") state.lowered = false;
    else if (event.key === "e" || event.key === "E") {
      setTool(state.tool === "add" ? "erase" : "add");
      state.lowered = false;
      say(t(state.tool === "add" ? "adding" : "erasing"));
    } else if (event.key === "[" || event.key === "]") {
      setBrush(event.key === "[" ? Math.min(state.brush - 1, state.brush / 1.25) : Math.max(state.brush + 1, state.brush * 1.25));
      say(t("sizeValue", state.brush));
    } else return;
    placeBrush(true);
  } else if (arrow && state.zoom > 1) panBy(-60 * arrow[0], -60 * arrow[1]);
  else return;
  event.preventDefault();
}

const cursorPoint = () => [state.cursor[0] * state.width, state.cursor[1] * state.height];

/** Move the brush by a third of its width (with Shift three times as far), painting where it is down. */
function moveByKey([dx, dy], far) {
  const step = Math.max(1, state.brush / 3) * (far ? 3 : 1);
  const within = (value) => Math.min(1, Math.max(0, value));
  state.cursor = [within(state.cursor[0] + (dx * step) / state.width), within(state.cursor[1] + (dy * step) / state.height)];
  if (state.lowered) strokeTo(cursorPoint());
  const { left, top, width, height, stageWidth, stageHeight } = layout();
  const x = left + state.cursor[0] * width, y = top + state.cursor[1] * height;
  if (x < 0 || y < 0 || x > stageWidth || y > stageHeight) {
    state.centre = [...state.cursor];
    settle();
  }
  clearTimeout(moveByKey.speaks);
  moveByKey.speaks = setTimeout(() => {
    const view = $("hole-view");
    const at = [state.cursor[0] * (view.width - 1), state.cursor[1] * (view.height - 1)].map(Math.round);
    const inside = view.getContext("2d").getImageData(...at, 1, 1).data[3] > 127;
    say(t("cursor", Math.round(state.cursor[0] * 100), Math.round(state.cursor[1] * 100), t(inside ? "inside" : "outside")));
  }, 350);
}

// ---------------------------------------------------------------- the faces

function showFaces() {
  $("faces-card").hidden = !state.faces.length;
  // Rows that stay keep the focus and are not read out again.
  if (showFaces.faces !== state.faces || showFaces.language !== language) listFaces();
  Object.assign(showFaces, { faces: state.faces, language });
  for (const box of document.querySelectorAll("#faces input")) {
    const { on } = state.faces[box.dataset.face];
    Object.assign(box, { checked: on, disabled: Boolean(state.busy) });
    box.parentElement.classList.toggle("off", !on);
  }
}

function listFaces() {
  const rows = state.faces.map((face) => {
    const row = document.createElement("li"), label = document.createElement("label");
    const picture = thumbnail(face);
    const words = document.createElement("span"), name = document.createElement("b"), sure = document.createElement("span");
    name.textContent = t("face", face.index + 1);
    const kind = face.covered === true ? "covered" : face.covered === false ? "bare" : "unknown";
    sure.textContent = t(kind, percent(kind === "unknown" ? face.score : face.confidence));
    sure.className = "small";
    sure.id = `sure-${face.index}`;
    words.append(name, sure);
    const box = Object.assign(document.createElement("input"), { type: "checkbox", className: "switch" });
    box.setAttribute("role", "switch");
    box.setAttribute("aria-label", t("faceOn", face.index + 1));
    box.setAttribute("aria-describedby", sure.id);
    box.dataset.face = face.index;
    label.append(picture, words, box);
    row.append(label);
    return row;
  });
  $("faces").replaceChildren(...rows);
}

/** A square around the face, cut from the photo as it was given; drawn once per face. */
function thumbnail(face) {
  const side = 112;
  if (!face.picture) {
    face.picture = canvas(side, side);
    face.picture.setAttribute("aria-hidden", "true");
    const [x0, y0, x1, y1] = face.box, reach = 0.62 * Math.max(x1 - x0, y1 - y0);
    if (state.displayable) {
      // The browser's picture and the server's have the same size unless a kind is decoded otherwise.
      const fit = $("before").naturalWidth / state.width;
      const left = ((x0 + x1) / 2 - reach) * fit, top = ((y0 + y1) / 2 - reach) * fit;
      face.picture.getContext("2d").drawImage($("before"), left, top, 2 * reach * fit, 2 * reach * fit, 0, 0, side, side);
    }
  }
  return face.picture;
}

function light(index) {
  if (state.lit === index) return;
  state.lit = index;
  showBoxes(state.mode === "hole");
}

// ---------------------------------------------------------------- the way in

/** The first picture among dropped or pasted things. */
function take(items) {
  const files = [...(items?.files ?? [])];
  if (!files.length) return false;
  open(files.find((file) => TYPES.test(file.type)) ?? files[0]);
  if (files.length > 1) say(t("oneOnly"));
  return true;
}

/** Phones open their camera through the file field; elsewhere a dialog shows the camera's picture. */
async function takePhoto() {
  if (matchMedia("(pointer: coarse)").matches || !navigator.mediaDevices?.getUserMedia) return $("shot").click();
  closeProblem();
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 }, height: { ideal: 1080 } } });
    $("video").srcObject = stream;
    $("camera").showModal();
  } catch {
    showProblem(new Problem("errorCamera"), takePhoto);
  }
}

function closeCamera() {
  for (const track of $("video").srcObject?.getTracks() ?? []) track.stop();
  $("video").srcObject = null;
}

function snap() {
  const video = $("video");
  if (!video.videoWidth) return;
  const shot = canvas(video.videoWidth, video.videoHeight);
  shot.getContext("2d").drawImage(video, 0, 0);
  $("camera").close();
  shot.toBlob((blob) => open(new File([blob], "camera.jpg", { type: blob.type })), "image/jpeg", 0.95);
}

// ---------------------------------------------------------------- wiring

const on = (target, kind, action, options) => (typeof target === "string" ? $(target) : target).addEventListener(kind, action, options);

on("language", "change", ({ target }) => setLanguage(stored(localStorage, "demask-language", target.value)));
on("choose", "click", () => $("file").click());
on("again", "click", () => $("file").click());
on("take", "click", takePhoto);
for (const id of ["file", "shot"]) {
  on(id, "change", ({ target }) => {
    take(target);
    target.value = "";
  });
}
on("snap", "click", snap);
on("camera-close", "click", () => $("camera").close());
on("camera", "close", closeCamera);
on("key-form", "submit", (event) => {
  event.preventDefault();
  $("key").close("given");
});
on("key-cancel", "click", () => $("key").close(""));
on("retry", "click", () => {
  const again = state.problem?.again;
  closeProblem();
  again?.();
});
on("dismiss", "click", () => {
  closeProblem();
  (state.file ? $("headline") : $("choose")).focus();
});
on("cancel", "click", () => state.busy?.abort());

on(document, "paste", (event) => {
  if (take(event.clipboardData)) event.preventDefault();
});
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
on(document, "dragover", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  $("veil").hidden = false;
});
on(document, "dragleave", (event) => {
  if (!event.relatedTarget) $("veil").hidden = true;
});
on(document, "drop", (event) => {
  $("veil").hidden = true;
  if (!carriesFiles(event)) return;
  event.preventDefault();
  take(event.dataTransfer);
});

on(stage, "pointerdown", pointerDown);
on(stage, "pointermove", pointerMove);
on(stage, "pointerup", pointerUp);
on(stage, "pointercancel", pointerUp);
on(stage, "pointerleave", () => gesture || document.activeElement === stage || placeBrush(false));
on(stage, "wheel", wheel, { passive: false });
on(stage, "dblclick", (event) => {
  if (state.mode === "compare") zoomBy(state.zoom > 1 ? 0 : 3, ...pointerAt(event));
});
on(stage, "keydown", stageKey);
on(stage, "focus", () => placeBrush(stage.matches(":focus-visible")));
on(stage, "blur", () => {
  state.lowered = false;
  placeBrush(false);
});
on("split", "keydown", (event) => {
  const step = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  setSplit(state.split + step);
});
on("zoom-in", "click", () => zoomBy(1.5));
on("zoom-out", "click", () => zoomBy(1 / 1.5));
on("zoom-fit", "click", () => zoomBy(0));
on("modes", "change", ({ target }) => setMode(target.value));
for (const input of document.querySelectorAll("input[name=tool]")) on(input, "change", () => setTool(input.value));
on("size", "input", ({ target }) => {
  const [least, most] = brushRange();
  state.brush = Math.round(least * (most / least) ** (target.value / 100));
  showBrushSize();
});
on("undo", "click", undo);
on("redo", "click", redo);
on("reset", "click", resetHole);
for (const button of document.querySelectorAll(".run")) on(button, "click", () => job(restore));
on(document, "keydown", (event) => {
  if (state.mode !== "hole" || state.busy || !(event.ctrlKey || event.metaKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  (key === "y" || event.shiftKey ? redo : undo)();
});
on("faces", "change", ({ target }) => {
  state.faces[Number(target.dataset.face)].on = target.checked;
  refresh();
});
for (const kind of ["pointerover", "focusin"]) {
  on("faces", kind, ({ target }) => light(Number(target.closest("li")?.querySelector("input").dataset.face ?? -1)));
}
for (const kind of ["pointerleave", "focusout"]) on("faces", kind, () => light(-1));
new ResizeObserver(refresh).observe(stage);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);

setLanguage(firstLanguage());
