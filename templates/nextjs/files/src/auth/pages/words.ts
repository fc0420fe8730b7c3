/**
 * What the pages say. Nothing that a request holds is repeated, so a link cannot put words into this site's
 * mouth.
 */

/** What a field asks for. */
export type Kind =
  "address" | "newAddress" | "password" | "newPassword" | "consent";

const SENTENCES: Readonly<Record<string, string>> = {
  body_too_large: "What you sent is too long. Go back and shorten it.",
  email_invalid: "Enter an e-mail address like name@example.com.",
  email_unchanged: "This is your address already. Enter another one.",
  email_unverified:
    "Confirm your address first: open the link that we mailed to you.",
  invalid_credentials: "Check the address and the password, and try again.",
  invalid_fields:
    "What was sent cannot be read. Go back, fill in every field and try again.",
  password_common: "Choose another password: attackers try this one first.",
  password_contextual:
    "Choose another password: this one is made of your address or of this site’s name.",
  password_required: "Enter the password that you chose when you signed up.",
  password_too_long: "Choose a shorter password: at most 256 characters.",
  token_invalid: "It was used before, or it has expired. Ask for a new mail.",
  too_many_requests:
    "There were too many attempts. Wait a few minutes, then try again.",
  unavailable: "Nothing was changed. Try again in a few minutes.",
};

const WRONG_PASSWORD = "Check the password and try again.";
const UNKNOWN = "Nothing was changed. Go back and try again.";

/** What happened and what to do about it. */
export function advice(
  code: string,
  passwordMin: number,
  namesAccount = true,
): string {
  if (code === "password_too_short")
    return `Choose a longer password: at least ${String(passwordMin)} characters.`;
  if (code === "invalid_credentials" && !namesAccount) return WRONG_PASSWORD;
  return own(SENTENCES, code) ?? UNKNOWN;
}

/** The kinds of field that a problem is about. */
export function kindsOf(code: string): readonly Kind[] {
  if (code === "email_invalid" || code === "email_unchanged")
    return ["address", "newAddress"];
  if (code === "invalid_credentials" || code === "password_required")
    return ["password"];
  return code.startsWith("password_") ? ["newPassword"] : [];
}

const EMPTY: Readonly<Record<Kind, string>> = {
  address: "Enter an e-mail address.",
  newAddress: "Enter an e-mail address.",
  password: "Enter your password.",
  newPassword: "Enter a new password.",
  consent: "Tick the box if you are sure.",
};

export function empty(kind: Kind): string {
  return EMPTY[kind];
}

export function passwordRules(passwordMin: number): string {
  return (
    `At least ${String(passwordMin)} characters, of any kind, spaces too: a few unrelated words, or what a` +
    " password manager makes."
  );
}

/** The title of a page about a problem. */
export function title(code: string): string {
  switch (code) {
    case "token_invalid":
      return "This link does not work any more";
    case "too_many_requests":
      return "Too many attempts";
    case "unavailable":
      return "This does not work right now";
    default:
      return "That did not work";
  }
}

const DONE: Readonly<Record<string, string>> = {
  "account-deleted": "Your account is deleted.",
  "address-changed":
    "Your address is changed. Every other device is signed out.",
  "address-confirmed": "Your address is confirmed.",
  "address-mailed":
    "Open the link in the mail to the new address. Until then, your address stays as it is.",
  "device-signed-out": "The device is signed out.",
  "device-unknown": "That device was signed out already.",
  "devices-signed-out": "Every other device is signed out.",
  "password-changed": "Your password is changed. Other devices are signed out.",
  "sign-in-again": "Sign in, then do it again: what you sent was not saved.",
  "signed-out": "You are signed out.",
};

/** What a page says after something was done, by the code in its address. */
export function done(code: string | undefined): string | undefined {
  return code === undefined ? undefined : own(DONE, code);
}

function own(
  texts: Readonly<Record<string, string>>,
  code: string,
): string | undefined {
  return Object.hasOwn(texts, code) ? texts[code] : undefined;
}
