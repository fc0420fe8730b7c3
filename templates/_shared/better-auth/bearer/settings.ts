/** What the module is told about tokens. */

import { required, SettingError, type Values } from "../variables[= js =]";
import { accepting, KeyRefusal, type Keys, signing } from "./keys[= js =]";
import { NAMES } from "./scopes[= js =]";

const KEY_FIX = "Make one: node [= cli =] token-key";
const OLD_KEYS_FIX =
  "List keys that were AUTH_TOKEN_KEY, or their public parts, with commas.";
const SCOPES_FIX =
  'List names with spaces between: AUTH_TOKEN_SCOPES="read write"';

export interface Settings {
  readonly keys: Keys;
  /** What access tokens name as their audience. */
  readonly audience: string;
  /** Names with spaces between. */
  readonly scopes: string;
}

export function read(values: Values, baseUrl: string): Settings {
  return {
    keys: keys(values),
    audience: values.get("AUTH_TOKEN_AUDIENCE") ?? baseUrl,
    scopes: scopes(values.get("AUTH_TOKEN_SCOPES") ?? "read write"),
  };
}

/** The key that signs access tokens, and those whose tokens still count (ASVS 11.2.2). */
function keys(values: Values): Keys {
  const text = required(values, "AUTH_TOKEN_KEY", KEY_FIX);
  const own = told("AUTH_TOKEN_KEY", KEY_FIX, () => signing(text));
  const older = (values.get("AUTH_TOKEN_OLD_KEYS") ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  return told("AUTH_TOKEN_OLD_KEYS", OLD_KEYS_FIX, () =>
    older.reduce(accepting, own),
  );
}

function told(name: string, fix: string, read: () => Keys): Keys {
  try {
    return read();
  } catch (error) {
    if (error instanceof KeyRefusal)
      throw new SettingError(name, error.message, fix);
    throw error;
  }
}

function scopes(text: string): string {
  const names = text.split(/\s+/).join(" ");
  if (!NAMES.test(names))
    throw new SettingError(
      "AUTH_TOKEN_SCOPES",
      "holds something else",
      SCOPES_FIX,
    );
  return names;
}
