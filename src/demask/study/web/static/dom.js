// Make elements from text only: nothing here can turn a plan's words into markup.

/** An element with attributes (a function becomes a listener) and children. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Put values in the places of a sentence, as in "{done} of {all}". */
export function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/** Read a sentence out to people who do not see the screen. */
export function announce(sentence) {
  document.getElementById("live").textContent = sentence;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const TAGS = new Set(["p", "h2", "h3", "h4", "ul", "ol", "li", "strong", "em", "a", "blockquote", "code", "pre", "hr", "br",
  "table", "thead", "tbody", "tr", "th", "td"]);

/** Elements of a tree that the server made of a researcher's Markdown, see study/markdown.py. */
export function grow(tree) {
  return tree.map((node) => {
    if (typeof node === "string") return node;
    const link = node.href ? { href: node.href, target: "_blank", rel: "noopener noreferrer" } : {};
    return el(TAGS.has(node.tag) ? node.tag : "span", link, ...grow(node.children));
  });
}
