/** What can be wrong with a photo; the page has a text for each `key`. */

export class Trouble extends Error {
  constructor(key, detail = "", limits = {}) {
    super(detail || key);
    Object.assign(this, { name: "Trouble", key, detail, limits });
  }
}
