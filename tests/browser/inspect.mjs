// Looks at a page as it stands: axe at two widths in two schemes, the keyboard, pictures for people.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [360, 1280];
const PARTS = new Set(["stylesheet", "script", "font"]);
const SCHEMES = ["light", "dark"];
const FOCUSABLE = "a[href], button, input:not([type=hidden], [hidden]), select, textarea, summary";

export class Inspector {
  /** Scripts run here, for axe: pages are shown again, byte for byte, with the headers they came with. */
  static async start(browser) {
    const context = await browser.newContext();
    const inspector = new Inspector();
    inspector.page = await context.newPage();
    inspector.names = new Set();
    inspector.titles = new Map();
    return inspector;
  }

  /** `answer` is the document's response in the page of somebody without scripts. */
  async look(name, answer) {
    assert(!this.names.has(name), `${name} was looked at already`);
    this.names.add(name);
    const { page } = this;
    const headers = await answer.allHeaders();
    for (const gone of ["content-encoding", "content-length", "set-cookie", "transfer-encoding"]) delete headers[gone];
    const body = await answer.body();
    await page.unrouteAll();
    await page.route("**", (route) => {
      const request = route.request();
      if (request.isNavigationRequest() && request.url() === answer.url().split("#")[0])
        return route.fulfill({ status: answer.status(), headers, body });
      return PARTS.has(request.resourceType()) ? route.continue() : route.fulfill({ status: 204 });
    });
    await page.goto(answer.url());
    await this.title(name);
    for (const width of WIDTHS) {
      for (const scheme of SCHEMES) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme: scheme });
        await this.axe(`${name} at ${width} in ${scheme}`);
        await this.shot(`${name}-${width}-${scheme}.png`);
      }
      assert.equal(await page.evaluate("document.documentElement.scrollWidth > innerWidth"), false,
        `${name} scrolls sideways at ${width}`);
    }
    await this.keyboard(name);
  }

  /** Different pages have different titles, and one with a problem says so first. */
  async title(name) {
    const title = await this.page.title();
    const isFaulty = (await this.page.locator("main [role=alert]").count()) > 0;
    assert.equal(title.startsWith("Error: "), isFaulty, `${name}: ${title}`);
    const heading = await this.page.locator("h1").textContent({ timeout: 2_000 });
    assert.equal(title.replace(/^Error: /, "").split(" – ")[0], heading, name);
  }

  async axe(what) {
    await this.page.evaluate(AXE);
    const found = await this.page.evaluate("axe.run()");
    const told = found.violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map((n) => n.html).join(" ")}`);
    assert.deepEqual(told, [], what);
    assert(found.passes.length > 10, `${what}: axe looked at ${found.passes.length} rules`);
  }

  /** Tab reaches everything that can be used, in reading order, and shows where it is. */
  async keyboard(name) {
    const { page } = this;
    const count = await page.evaluate(`(() => {
      const all = [...document.querySelectorAll(${JSON.stringify(FOCUSABLE)})];
      all.forEach((element, index) => element.dataset.stop = index);
      document.activeElement?.blur();
      return all.length;
    })()`);
    // Focus begins at the top of the document, wherever autofocus had put it.
    await page.evaluate("document.body.tabIndex = -1; document.body.focus()");
    const reached = [];
    for (let stop = 0; stop < count; stop += 1) {
      await page.keyboard.press("Tab");
      const [at, outline] = await page.evaluate(`(() => {
        const at = document.activeElement;
        return [at.dataset.stop, getComputedStyle(at).outlineStyle];
      })()`);
      assert.notEqual(outline, "none", `${name}: no visible focus on stop ${at}`);
      reached.push(Number(at));
    }
    assert.deepEqual(reached, [...Array(count).keys()], `${name}: tab order`);
  }

  async shot(file) {
    const folder = process.env.SCREENSHOTS;
    if (folder) await this.page.screenshot({ path: path.join(folder, file), fullPage: true });
  }
}
