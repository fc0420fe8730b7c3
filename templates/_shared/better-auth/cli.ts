/**
 * The operator's commands; USER is an id or an address.
 *
 *   disable|enable|revoke USER    acts on one account, at once
 *   revoke --all                  ends everybody's sessions
 *   audit [USER]                  prints what happened to an account, or to all
[%- if module.tokens %]
 *   token-key                     prints a new AUTH_TOKEN_KEY
[%- endif %]
 */

[% if module.tokens -%]
import { freshKey } from "./bearer/keys[= js =]";
[% endif -%]
import { open } from "./db[= js =]";
import { act, OperatorError, trail } from "./operator[= js =]";
import { fromEnvironment } from "./settings[= js =]";
import { SettingError } from "./variables[= js =]";

[% if module.tokens -%]
const USAGE =
  "usage: disable|enable|revoke USER, revoke --all, audit [USER], token-key";
[%- else -%]
const USAGE = "usage: disable|enable|revoke USER, revoke --all, audit [USER]";
[%- endif %]

function run(words: readonly string[]): number {
  const [command, whom] = words;
[%- if module.tokens %]
  // Asked for before there are settings.
  if (command === "token-key" && words.length === 1) {
    console.log(`AUTH_TOKEN_KEY=${freshKey()}`);
    return 0;
  }
[%- endif %]
  const database = open(fromEnvironment().database);
  try {
    if (command === "audit" && words.length <= 2) {
      console.log(trail(database, whom).join("\n"));
    } else if (command === "revoke" && whom === "--all" && words.length === 2) {
      console.log(act(database, command, undefined));
    } else if (isCommand(command) && whom !== undefined && words.length === 2) {
      console.log(act(database, command, whom));
    } else {
      console.error(USAGE);
      return 2;
    }
    return 0;
  } finally {
    database.close();
  }
}

function isCommand(
  word: string | undefined,
): word is "disable" | "enable" | "revoke" {
  return word === "disable" || word === "enable" || word === "revoke";
}

try {
  process.exitCode = run(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SettingError || error instanceof OperatorError))
    throw error;
  console.error(`auth: ${error.message}`);
  process.exitCode = 1;
}
