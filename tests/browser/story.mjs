// The life of an account in a browser without scripts. Every page on the way is inspected.
//
// BASE_URL is where the app listens, PAGES where its pages are, MAIL where it writes mail, REAUTH_SECONDS how long a
// password counts as fresh, SCREENSHOTS a folder for pictures (or nothing).
import assert from "node:assert/strict";
import { launch, Mailbox, person } from "./browser.mjs";
import { Inspector } from "./inspect.mjs";
import { at, click, fault, main, named, notice, open, path, push, send } from "./steps.mjs";

const base = process.env.BASE_URL;
const mailbox = new Mailbox(process.env.MAIL);
const reauthSeconds = Number(process.env.REAUTH_SECONDS);

const ANN = "ann@mail.test";
const ANNE = "anne@mail.test";
let password = "seven Quiet herons cross";

const browser = await launch();
const inspector = await Inspector.start(browser);
let ann = await person(browser);

async function step(what, action) {
  console.log(what);
  await action();
  assert.deepEqual(ann.complaints, [], what);
}

await step("a stranger is led to the sign-in page, and from there to the registration", async () => {
  await inspector.look("sign-in", await open(ann, "/auth/example/page"));
  assert.equal(ann.url(), `${base}${at("LOGIN")}?next=%2Fauth%2Fexample%2Fpage`);
  await inspector.look("register", await click(ann, "Create an account"));
});

await step("a password that is too short is refused, and the address kept", async () => {
  await inspector.look("register-refused", await send(ann, { email: ANN, password: "short" }));
  assert.match(await fault(ann), /at least 15 characters/);
  assert.equal(await ann.inputValue("#email"), ANN);
  assert.equal(await ann.inputValue("#password"), "");
  assert(await ann.locator("[role=alert]").evaluate((alert) => alert === document.activeElement), "focus on the problem");
  await ann.click("[role=alert] a");
  assert(await ann.locator("#password").evaluate((field) => field === document.activeElement), "the link leads to the field");
  await inspector.look("register-empty", await send(ann, { email: "", password: "" }));
});

await step("a registration leads to the mailbox, and confirming there signs in", async () => {
  await open(ann, at("REGISTER"));
  await inspector.look("mailbox", await send(ann, { email: ANN, password }));
  assert.equal(path(ann), at("MAILBOX"));
  await inspector.look("resend", await click(ann, "Send the confirmation again"));
  const link = await mailbox.link(ANN, "confirm your address");
  await inspector.look("verify", await open(ann, link));
  await inspector.look("account", await send(ann));
  assert.equal(ann.url(), `${base}${at("ACCOUNT")}?done=address-confirmed`);
  await inspector.look("link-used", await open(ann, link));
  assert.equal(await main(ann).locator("h1").textContent(), "This link does not work any more");
});

await step("in another browser, confirming takes the password", async () => {
  const bob = await person(browser);
  await open(bob, at("REGISTER"));
  await send(bob, { email: "bob@mail.test", password });
  const link = await mailbox.link("bob@mail.test", "confirm your address");
  const other = await person(browser);
  await inspector.look("verify-elsewhere", await open(other, link));
  await inspector.look("verify-refused", await send(other, { password: "not the right one at all" }));
  await send(other, { password });
  assert.equal(other.url(), `${base}${at("LOGIN")}?done=address-confirmed`);
});

await step("signing out and in again, and a wrong password", async () => {
  await open(ann, at("ACCOUNT"));
  await push(ann, "Sign out");
  assert.equal(await notice(ann), "You are signed out.");
  await open(ann, "/auth/example/page");
  await inspector.look("sign-in-refused", await send(ann, { email: ANN, password: "not the right one at all" }));
  assert.equal(await ann.inputValue("#email"), ANN);
  assert.equal(await ann.inputValue("#password"), "");
  await inspector.look("example", await send(ann, { password }));
  assert.equal(path(ann), "/auth/example/page", "back where it began");
});

await step("the password is changed", async () => {
  await open(ann, at("ACCOUNT"));
  await inspector.look("password", await click(ann, "Change password"));
  await inspector.look("password-refused", await send(ann, named("PWCHANGE", { current_password: "wrong", new_password: "eleven loud badgers dig" })));
  await send(ann, named("PWCHANGE", { current_password: password, new_password: "eleven loud badgers dig" }));
  password = "eleven loud badgers dig";
  assert.match(await notice(ann), /Your password is changed/);
});

await step("another session is seen and ended", async () => {
  const phone = await person(browser, {
    userAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1",
  });
  await open(phone, at("LOGIN"));
  await send(phone, { email: ANN, password });
  assert.equal(path(phone), at("ACCOUNT"));
  await inspector.look("sessions", await open(ann, at("SESSIONS")));
  await inspector.look("sessions-ended", await push(ann, /Sign out Safari on iPhone/));
  assert.equal(await notice(ann), "The device is signed out.");
  assert.equal(await main(ann).locator("ul li").count(), 1);
  await open(phone, at("ACCOUNT"));
  assert.equal(path(phone), at("LOGIN"));
  await send(phone, { email: ANN, password });
  await open(ann, at("SESSIONS"));
  await push(ann, "Sign out every other device");
  await open(phone, at("ACCOUNT"));
  assert.equal(path(phone), at("LOGIN"));
});

await step("what is sensitive takes the password again, and leads back", async () => {
  await new Promise((resolve) => setTimeout(resolve, (reauthSeconds + 1) * 1_000));
  await open(ann, at("ACCOUNT"));
  await inspector.look("reauth", await click(ann, "Change e-mail address"));
  assert.equal(path(ann), at("REAUTH"));
  await inspector.look("reauth-refused", await send(ann, { password: "not the right one at all" }));
  await inspector.look("email", await send(ann, { password }));
  assert.equal(path(ann), at("EMAIL_CHANGE"));
});

await step("the address is changed: the new one is proven, the old one told", async () => {
  await inspector.look("email-refused", await send(ann, { email: "nowhere" }));
  await send(ann, { email: ANNE });
  assert.equal(ann.url(), `${base}${at("ACCOUNT")}?done=address-mailed`);
  await mailbox.next(ANN, /security notice|about your account/);
  const link = await mailbox.link(ANNE, "confirm your new address");
  await inspector.look("email-confirm", await open(ann, link));
  await inspector.look("email-changed", await send(ann));
  assert.match(await main(ann).textContent(), new RegExp(ANNE));
});

await step("a forgotten password is replaced by way of the mailbox", async () => {
  await push(ann, "Sign out");
  await inspector.look("forgot", await click(ann, "Forgot your password?"));
  await send(ann, { email: ANNE });
  const link = await mailbox.link(ANNE, "choose a new password");
  await inspector.look("reset", await open(ann, link));
  await inspector.look("reset-refused", await send(ann, { password: "passwordpassword" }));
  password = "nine patient otters swim";
  await inspector.look("reset-done", await send(ann, { password }));
  assert.equal(ann.url(), `${base}${at("LOGIN")}?done=password-changed`);
  await send(ann, { email: ANNE, password });
  assert.equal(path(ann), at("ACCOUNT"));
});

await step("the data is downloaded", async () => {
  await inspector.look("data", await click(ann, "Your data"));
  const [download] = await Promise.all([
    ann.waitForEvent("download"),
    ann.getByRole("link", { name: "Download your data" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "account.json");
  const chunks = await (await download.createReadStream()).toArray();
  assert.equal(JSON.parse(Buffer.concat(chunks)).account.email, ANNE);
});

await step("the account is deleted", async () => {
  await inspector.look("delete", await click(ann, "Delete your account"));
  await inspector.look("delete-refused", await push(ann, "Delete account"));
  await ann.check("#confirmed");
  await push(ann, "Delete account");
  assert.equal(await notice(ann), "Your account is deleted.");
  await send(ann, { email: ANNE, password });
  assert.match(await fault(ann), /Check the address and the password/);
});

await step("what is not there is said in words", async () => {
  await inspector.look("nowhere", await open(ann, `${at("ACCOUNT")}/nowhere`));
});

console.log(`${inspector.names.size} pages inspected`);
await browser.close();
