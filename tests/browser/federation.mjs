// Signing in with OpenID providers, in a browser without scripts. The app's own pages on the way are inspected.
//
// BASE_URL is where the app listens, FIRST and SECOND are the issuers of its providers `generic` and `keycloak`, MAIL is
// where it writes mail (nothing, where there are no passwords), SCREENSHOTS a folder for pictures (or nothing).
import assert from "node:assert/strict";
import { launch, Mailbox, person } from "./browser.mjs";
import { Inspector } from "./inspect.mjs";
import { main, notice, open, path, push, send } from "./steps.mjs";

const { BASE_URL: base, FIRST: first, SECOND: second } = process.env;
const mailbox = process.env.MAIL && new Mailbox(process.env.MAIL);

const ANN = "ann@mail.test";
const BOB = "bob@mail.test";
const password = "seven Quiet herons cross";

const browser = await launch();
const inspector = await Inspector.start(browser);
const people = [];

async function somebody() {
  const page = await person(browser, {}, [first, second]);
  people.push(page);
  return page;
}

async function step(what, action) {
  console.log(what);
  await action();
  assert.deepEqual(people.flatMap((page) => page.complaints), [], what);
}

/** A button of the app that leads to a provider. Somebody who signed in and agreed there before is sent back at once. */
const leave = (page, name) => page.getByRole("button", { name }).click();

/** Signs in at the provider and agrees. */
async function agree(page, issuer, name) {
  await page.waitForURL(`${issuer}/interaction/**`);
  await page.fill("[name=login]", name);
  await page.fill("[name=password]", "anything");
  await page.click("button[type=submit]");
  await page.locator("[name=prompt][value=consent]").waitFor({ state: "attached" });
  await page.click("button[type=submit]");
  await page.waitForURL(`${base}/**`);
}

const me = async (page) => {
  const answer = await page.request.get(`${base}/auth/me`, { headers: { accept: "application/json" } });
  return answer.status() === 200 ? answer.json() : null;
};
const ways = (page) => main(page).locator("ul.rows").innerText();

const ann = await somebody();

await step("a stranger signs in with a provider, and arrives where they wanted to go", async () => {
  await inspector.look("sign-in-providers", await open(ann, "/auth/example/page"));
  await leave(ann, "Continue with Single sign-on");
  await agree(ann, first, ANN);
  assert.equal(ann.url(), `${base}/auth/example/page`);
  const { email, email_verified, amr } = await me(ann);
  assert.deepEqual({ email, email_verified, amr }, { email: ANN, email_verified: true, amr: ["fed"] });
});

await step("a second provider is connected, under another name", async () => {
  await inspector.look("identities", await open(ann, "/auth/identities"));
  assert.match(await ways(ann), /Connected as ann@mail\.test/);
  await leave(ann, "Connect Keycloak");
  await agree(ann, second, "elsewhere@mail.test");
  assert.equal(path(ann), "/auth/identities");
  assert.match(await notice(ann), /The provider is connected/);
  await inspector.look("identities-both", await open(ann, "/auth/identities"));
  assert.match(await ways(ann), /Connected as elsewhere@mail\.test/);
});

await step("signing out ends the session, and the second provider opens the same account", async () => {
  const { id } = await me(ann);
  await push(ann, "Sign out");
  assert.equal(await me(ann), null);
  await open(ann, "/auth/account");
  assert.equal(path(ann), "/auth/login");
  await leave(ann, "Continue with Keycloak");
  await ann.waitForURL(`${base}/auth/account`);
  assert.equal((await me(ann)).id, id);
});

await step("the first is disconnected, and the last one stays", async () => {
  await open(ann, "/auth/identities");
  await push(ann, "Disconnect Single sign-on");
  assert.match(await notice(ann), /The provider is disconnected/);
  await inspector.look("identities-last", await push(ann, "Disconnect Keycloak"));
  assert.match(await main(ann).textContent(), /Nothing else would open your account/);
  assert.match(await ways(await opened(ann, "/auth/identities")), /Disconnect Keycloak/);
});

async function opened(page, to) {
  await open(page, to);
  return page;
}

async function ownerConnects() {
  const bob = await somebody();
  await open(bob, "/auth/register");
  await send(bob, { email: BOB, password });
  await open(bob, await mailbox.link(BOB, "confirm your address"));
  await send(bob);
  const { id } = await me(bob);

  const other = await somebody();
  await open(other, "/auth/login");
  await leave(other, "Continue with Single sign-on");
  await agree(other, first, BOB);
  assert.equal(await main(other).locator("h1").textContent(), "You have an account already");
  assert.equal(await me(other), null);
  await open(other, "/auth/login");
  await send(other, { email: BOB, password });
  await open(other, "/auth/identities");
  await leave(other, "Connect Single sign-on");
  await other.waitForURL(`${base}/auth/identities?done=provider-connected`);
  assert.equal((await me(other)).id, id);
}

async function onlyProviders() {
  const eve = await somebody();
  assert.equal((await open(eve, "/auth/register")).status(), 404);
  await inspector.look("sign-in-alone", await open(eve, "/auth/login"));
  assert.equal(await eve.locator("input[type=password], input[type=email]").count(), 0);
  assert.equal(await eve.getByRole("button", { name: /^Continue with/ }).count(), 2);
}

if (mailbox) {
  await step("an account with a password is not handed over for its address; its owner connects", ownerConnects);
} else {
  await step("there is no way in but providers", onlyProviders);
}

await step("an address that the provider does not vouch for opens nothing", async () => {
  const eve = await somebody();
  await open(eve, "/auth/login");
  await leave(eve, "Continue with Single sign-on");
  await agree(eve, first, "unproven@mail.test");
  assert.match(await main(eve).textContent(), /confirm .*at the provider/i);
  assert.equal(await me(eve), null);
});

await step("whoever turns back at the provider is told so in the app's own words", async () => {
  const dan = await somebody();
  await open(dan, "/auth/login");
  await leave(dan, "Continue with Single sign-on");
  await dan.waitForURL(`${first}/interaction/**`);
  await dan.getByRole("link", { name: /cancel/i }).click();
  await dan.waitForURL(`${base}/**`);
  assert.equal(await main(dan).locator("h1").textContent(), "The sign-in did not work");
  assert.equal(await me(dan), null);
});

console.log(`${inspector.names.size} pages inspected`);
await browser.close();
