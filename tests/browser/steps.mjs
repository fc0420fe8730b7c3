// What people do on a page: open, fill in and send, follow a link, push a button.
const base = process.env.BASE_URL;
// By role of the app's contract: the path of the page, and the names of the fields.
const pages = JSON.parse(process.env.PAGES ?? "{}");

export const at = (role) => pages[role].path;

/** The fields of a role as the app calls them. */
export function named(role, fields) {
  const renamed = Object.entries(fields).map(([name, value]) => [pages[role].fields[name] ?? name, value]);
  return Object.fromEntries(renamed);
}

export const path = (page) => new URL(page.url()).pathname;
export const main = (page) => page.locator("main");
export const open = (page, to) => page.goto(to.startsWith("http") ? to : base + to);

/** Fills in the form of the page and sends it with the Enter key from its last field. */
export async function send(page, fields = {}) {
  for (const [name, value] of Object.entries(fields)) await page.fill(`#${name}`, value);
  const last = Object.keys(fields).pop();
  return follow(page, () => last ? page.press(`#${last}`, "Enter") : main(page).locator("form button").first().click());
}

/** The document that an action leads to. */
export async function follow(page, action) {
  const arrived = page.waitForEvent("response", (answer) =>
    answer.request().isNavigationRequest() && ![303, 307].includes(answer.status()));
  await action();
  const answer = await arrived;
  await page.waitForLoadState();
  return answer;
}

export const click = (page, name) => follow(page, () => page.getByRole("link", { name }).click());
export const push = (page, name) => follow(page, () => page.getByRole("button", { name }).click());
export const notice = (page) => page.locator("[role=status]").textContent();
export const fault = (page) => page.locator("[role=alert] p").textContent();
