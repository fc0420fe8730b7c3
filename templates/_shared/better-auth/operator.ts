/** The operator's hook: what the command line does to accounts, at once and for every instance. */

import type { DatabaseSync } from "node:sqlite";

import { random } from "./random[= js =]";
import { now } from "./time[= js =]";

const MAX_LINES = 1_000;

/** What the operator asked for cannot be done. */
export class OperatorError extends Error {}

const EVENTS = {
  disable: "account_disabled",
  enable: "account_enabled",
  revoke: "sessions_revoked",
} as const;

export type Command = keyof typeof EVENTS;

const CHANGES: Record<Command, string> = {
  disable: "epoch = epoch + 1, disabledAt = coalesce(disabledAt, @at)",
  enable: "disabledAt = NULL, updatedAt = @at",
  revoke: "epoch = epoch + 1, updatedAt = @at",
};

/** Changes one account, or all. */
export function act(
  database: DatabaseSync,
  command: Command,
  whom: string | undefined,
): string {
  const at = now().toISOString();
  database.exec("BEGIN IMMEDIATE");
  try {
    const ids = find(database, whom);
    for (const id of ids) {
      database
        .prepare(`UPDATE auth_user SET ${CHANGES[command]} WHERE id = @id`)
        .run({ id, at });
      database.prepare("DELETE FROM auth_session WHERE userId = ?").run(id);
      database.prepare("DELETE FROM auth_token WHERE userId = ?").run(id);
      database
        .prepare(
          "INSERT INTO auth_audit (id, at, event, outcome, reason, userId, ip, userAgent, requestId)" +
            " VALUES (?, ?, ?, 'success', '', ?, '', 'operator', '')",
        )
        .run(random(24), at, EVENTS[command], id);
    }
    database.exec("COMMIT");
    return `auth: ${command}: ${String(ids.length)} account(s)`;
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

function find(database: DatabaseSync, whom: string | undefined): string[] {
  const all = database.prepare(
    "SELECT id FROM auth_user WHERE @all OR id = @id OR email = @email",
  );
  const id = whom ?? "";
  const rows = all.all({
    all: whom === undefined ? 1 : 0,
    id,
    email: id.trim().toLowerCase(),
  });
  if (whom !== undefined && rows.length === 0)
    throw new OperatorError(`no such user: ${whom}`);
  return rows.map((row) => String(row["id"]));
}

/** The audit trail of one user, or of all, oldest first: a line for each event. */
export function trail(
  database: DatabaseSync,
  whom: string | undefined,
): string[] {
  const some = database.prepare(
    "SELECT at, event, outcome, reason, userId, subject, ip, userAgent, requestId FROM auth_audit" +
      " WHERE @all OR userId = @id ORDER BY rowid DESC LIMIT @limit",
  );
  const rows = some.all({
    all: whom === undefined ? 1 : 0,
    id: known(database, whom),
    limit: MAX_LINES,
  });
  if (whom !== undefined && rows.length === 0)
    throw new OperatorError(`no such user: ${whom}`);
  return rows.reverse().map((row) => JSON.stringify(row));
}

/** The trail outlives the account: then only its id is known. */
function known(database: DatabaseSync, whom: string | undefined): string {
  try {
    return whom === undefined ? "" : (find(database, whom)[0] ?? "");
  } catch {
    return whom ?? "";
  }
}
