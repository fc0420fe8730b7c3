// Chromium as the system has it, and the mail that the app wrote.
import fs from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** With a profile folder of its own, removed at the end. */
export function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: FLAGS });
}

/**
 * A person without scripts. What was blocked, failed to load or went elsewhere is collected of the app's pages; those of
 * providers, at the other origins, are not judged. Nothing is asked of any further place.
 */
export async function person(browser, options = {}, providers = []) {
  const base = new URL(process.env.BASE_URL).origin;
  const known = new Set([base, ...providers]);
  const context = await browser.newContext({ javaScriptEnabled: false, ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  page.complaints = [];
  const complain = (text) => {
    if (page.url() === "about:blank" || new URL(page.url()).origin === base) page.complaints.push(text);
  };
  page.on("console", (message) => {
    // A browser says so of every answer with an error status, which is what some steps are about.
    const isStatus = message.text().startsWith("Failed to load resource: the server responded with");
    const isCleared = message.text().startsWith("Clear-Site-Data header");
    if (!isStatus && !isCleared) complain(message.text());
  });
  await context.route((url) => !known.has(url.origin), (route) => {
    complain(route.request().url());
    return route.abort();
  });
  return page;
}

function decoded(raw) {
  const [head, ...body] = raw.split("\n\n");
  if (/^content-transfer-encoding: base64$/im.test(head)) return `${head}\n\n${Buffer.from(body.join(""), "base64")}`;
  return raw.replaceAll("=\n", "").replaceAll("=3D", "=");
}

export class Mailbox {
  constructor(folder) {
    this.folder = folder;
    this.seen = new Set();
  }

  /** The next mail to an address that was not read yet; others stay for later. */
  async next(to, subject) {
    for (let tries = 0; tries < 100; tries += 1) {
      for (const [name, text] of this.unread()) {
        if (text.includes(`\nTo: ${to}\n`) && text.match(subject)) {
          this.seen.add(name);
          return text;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`no mail to ${to} about ${subject}`);
  }

  /** Some apps write several mails into one file, each with a line of dashes after it. */
  unread() {
    const files = fs.readdirSync(this.folder).filter((name) => /\.(eml|log)$/.test(name)).sort();
    const mails = files.flatMap((file) => {
      const raw = fs.readFileSync(path.join(this.folder, file), "utf8").replaceAll("\r\n", "\n");
      const texts = decoded(raw).split(/^-{79}$/m);
      return texts.map((text, at) => [`${file} ${at}`, text]);
    });
    return mails.filter(([name]) => !this.seen.has(name));
  }

  async link(to, subject) {
    const link = /^https?:\S+\?token=\S+/m.exec(await this.next(to, subject));
    if (!link) throw new Error(`no link in the mail to ${to}`);
    return link[0];
  }
}
