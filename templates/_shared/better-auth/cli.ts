/**
 * The operator's commands; USER is an id or an address.
 *
 *   disable|enable|revoke USER    acts on one account, at once
 *   revoke --all                  ends everybody's sessions
 *   audit [USER]                  prints what happened to an account, or to all
 */

import { open } from "./db[= js =]";
import { act, OperatorError, trail } from "./operator[= js =]";
import { fromEnvironment } from "./settings[= js =]";
import { SettingError } from "./variables[= js =]";

const USAGE = "usage: disable|enable|revoke USER, revoke --all, audit [USER]";

function run(words: readonly string[]): number {
  const [command, whom] = words;
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
