/** The database: its file, its tables, and how the library reaches them. */

import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { kyselyAdapter } from "@better-auth/kysely-adapter";
import { NodeSqliteDialect } from "@better-auth/kysely-adapter/node-sqlite-dialect";
import type {
  BetterAuthOptions,
  DBAdapter,
  DBTransactionAdapter,
  Where,
} from "better-auth";
import { CompiledQuery, type Driver, Kysely } from "kysely";

import { digest } from "./random[= js =]";
import { SettingError } from "./variables[= js =]";

/** What can be done to rows, in a transaction or out of one. */
export type Rows = DBTransactionAdapter;

// A test compares these with what the library expects.
const TABLES = `
CREATE TABLE IF NOT EXISTS auth_user (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  email TEXT NOT NULL UNIQUE,
  emailVerified INTEGER NOT NULL,
  image TEXT,
  createdAt DATE NOT NULL,
  updatedAt DATE NOT NULL,
  epoch INTEGER NOT NULL,
  failedLogins INTEGER NOT NULL,
  passwordChangedAt DATE NOT NULL,
  disabledAt DATE
);
CREATE TABLE IF NOT EXISTS auth_session (
  id TEXT NOT NULL PRIMARY KEY,
  token TEXT NOT NULL UNIQUE,
  userId TEXT NOT NULL REFERENCES auth_user (id) ON DELETE CASCADE,
  epoch INTEGER NOT NULL,
[%- if module.oidc %]
  amr TEXT NOT NULL DEFAULT 'pwd',
[%- endif %]
  createdAt DATE NOT NULL,
  updatedAt DATE NOT NULL,
  authenticatedAt DATE NOT NULL,
  lastSeenAt DATE NOT NULL,
  expiresAt DATE NOT NULL,
  ipAddress TEXT,
  userAgent TEXT
);
CREATE INDEX IF NOT EXISTS auth_session_userId_idx ON auth_session (userId);
CREATE INDEX IF NOT EXISTS auth_session_expiresAt_idx ON auth_session (expiresAt);
CREATE TABLE IF NOT EXISTS auth_account (
  id TEXT NOT NULL PRIMARY KEY,
  accountId TEXT NOT NULL,
  providerId TEXT NOT NULL,
  userId TEXT NOT NULL REFERENCES auth_user (id) ON DELETE CASCADE,
  accessToken TEXT,
  refreshToken TEXT,
  idToken TEXT,
  accessTokenExpiresAt DATE,
  refreshTokenExpiresAt DATE,
  scope TEXT,
  password TEXT,
  createdAt DATE NOT NULL,
  updatedAt DATE NOT NULL,
  UNIQUE (providerId, accountId)
);
CREATE INDEX IF NOT EXISTS auth_account_userId_idx ON auth_account (userId);
CREATE TABLE IF NOT EXISTS auth_verification (
  id TEXT NOT NULL PRIMARY KEY,
  identifier TEXT NOT NULL,
  value TEXT NOT NULL,
  expiresAt DATE NOT NULL,
  createdAt DATE NOT NULL,
  updatedAt DATE NOT NULL
);
CREATE INDEX IF NOT EXISTS auth_verification_identifier_idx ON auth_verification (identifier);
CREATE TABLE IF NOT EXISTS auth_token (
  id TEXT NOT NULL PRIMARY KEY,
  tokenHash TEXT NOT NULL UNIQUE,
  purpose TEXT NOT NULL,
  userId TEXT NOT NULL REFERENCES auth_user (id) ON DELETE CASCADE,
  email TEXT NOT NULL,
  newEmail TEXT,
  browserHash TEXT,
  createdAt DATE NOT NULL,
  expiresAt DATE NOT NULL,
  usedAt DATE,
  UNIQUE (userId, purpose)
);
[%- if module.oidc %]
CREATE TABLE IF NOT EXISTS auth_identity (
  id TEXT NOT NULL PRIMARY KEY,
  userId TEXT NOT NULL REFERENCES auth_user (id) ON DELETE CASCADE,
  provider TEXT NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  email TEXT,
  linkedAt DATE NOT NULL,
  UNIQUE (issuer, subject),
  UNIQUE (userId, provider)
);
CREATE TABLE IF NOT EXISTS auth_transaction (
  id TEXT NOT NULL PRIMARY KEY,
  stateHash TEXT NOT NULL UNIQUE,
  browserHash TEXT NOT NULL,
  provider TEXT NOT NULL,
  issuer TEXT NOT NULL,
  intent TEXT NOT NULL,
  userId TEXT,
  session TEXT,
  nonce TEXT NOT NULL,
  verifier TEXT NOT NULL,
  next TEXT NOT NULL,
  createdAt DATE NOT NULL,
  expiresAt DATE NOT NULL
);
CREATE INDEX IF NOT EXISTS auth_transaction_browserHash_idx ON auth_transaction (browserHash);
[%- endif %]
[%- if module.tokens %]
CREATE TABLE IF NOT EXISTS auth_token_family (
  id TEXT NOT NULL PRIMARY KEY,
  userId TEXT NOT NULL REFERENCES auth_user (id) ON DELETE CASCADE,
  session TEXT,
  device TEXT NOT NULL,
  scope TEXT NOT NULL,
  amr TEXT NOT NULL,
  authenticatedAt DATE NOT NULL,
  epoch INTEGER NOT NULL,
  createdAt DATE NOT NULL,
  lastUsedAt DATE NOT NULL,
  expiresAt DATE NOT NULL,
  revokedAt DATE
);
CREATE INDEX IF NOT EXISTS auth_token_family_userId_idx ON auth_token_family (userId);
CREATE INDEX IF NOT EXISTS auth_token_family_expiresAt_idx ON auth_token_family (expiresAt);
CREATE TABLE IF NOT EXISTS auth_refresh_token (
  id TEXT NOT NULL PRIMARY KEY,
  tokenHash TEXT NOT NULL UNIQUE,
  familyId TEXT NOT NULL REFERENCES auth_token_family (id) ON DELETE CASCADE,
  createdAt DATE NOT NULL,
  usedAt DATE,
  expiresAt DATE NOT NULL
);
CREATE INDEX IF NOT EXISTS auth_refresh_token_familyId_idx ON auth_refresh_token (familyId);
[%- endif %]
CREATE TABLE IF NOT EXISTS auth_throttle (
  id TEXT NOT NULL PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  count INTEGER NOT NULL,
  windowStart DATE NOT NULL,
  blockedUntil DATE,
  expiresAt DATE NOT NULL
);
CREATE TABLE IF NOT EXISTS auth_audit (
  id TEXT NOT NULL PRIMARY KEY,
  at DATE NOT NULL,
  event TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL,
  userId TEXT,
  subject TEXT,
  ip TEXT NOT NULL,
  userAgent TEXT NOT NULL,
  requestId TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS auth_audit_userId_idx ON auth_audit (userId);
`;

/** Opens the file, readable by its owner only, and makes the tables that are not there. */
export function open(file: string): DatabaseSync {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    closeSync(openSync(file, "a", 0o600));
    const database = new DatabaseSync(file);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 10000;");
    database.exec("PRAGMA foreign_keys = ON;");
    database.exec(TABLES);
[%- if module.oidc %]
    addMethods(database);
[%- endif %]
    return database;
  } catch {
    throw new SettingError(
      "DATABASE_URL",
      "cannot be used",
      "Check the path and its permissions.",
    );
  }
}

[% if module.oidc -%]
/** Sessions of a file from before there were providers began with a password. */
function addMethods(database: DatabaseSync): void {
  const columns = database.prepare("PRAGMA table_info(auth_session)").all();
  if (columns.some(({ name }) => name === "amr")) return;
  database.exec(
    "ALTER TABLE auth_session ADD COLUMN amr TEXT NOT NULL DEFAULT 'pwd'",
  );
}

[% endif -%]
/** Transactions that write from their start: none fails in its middle because another wrote first. */
class Dialect extends NodeSqliteDialect {
  override createDriver(): Driver {
    const driver: Driver = super.createDriver();
    driver.beginTransaction = async (connection) => {
      await connection.executeQuery(CompiledQuery.raw("begin immediate"));
    };
    return driver;
  }
}

export type AdapterFactory = (options: BetterAuthOptions) => DBAdapter;

/** The library's adapter for the file, in which tokens of sessions are stored hashed. */
export function adapter(database: DatabaseSync): AdapterFactory {
  const kysely = new Kysely<Record<string, unknown>>({
    dialect: new Dialect({ database }),
  });
  const make = kyselyAdapter(kysely, { type: "sqlite", transaction: true });
  return (options) => {
    const plain: DBAdapter = make(options);
    return {
      ...plain,
      ...hashing(plain),
      transaction: (run) =>
        plain.transaction((rows) => run({ ...rows, ...hashing(rows) })),
    };
  };
}

type Row = Record<string, unknown>;

/**
 * The library keeps the token of a session as it is in the cookie. Here the table has its SHA-256
 * (ASVS 11.5.1): it is hashed on its way in, and found by its hash.
 */
function hashing(rows: Rows): Partial<Rows> {
  return {
    create: async <T extends Row, R = T>(
      given: Parameters<typeof rows.create<T, R>>[0],
    ) => {
      const token = given.model === "session" ? given.data["token"] : undefined;
      if (typeof token !== "string") return rows.create<T, R>(given);
      const made = await rows.create<Row, Row>({
        ...given,
        data: { ...given.data, token: digest(token) },
      });
      return { ...made, token } as R;
    },
    findOne: async <T>(given: Parameters<typeof rows.findOne>[0]) => {
      const found = await rows.findOne<Row>({ ...given, where: hashed(given) });
      const token =
        given.model === "session" &&
        given.where.find(({ field }) => field === "token");
      return (
        found && token ? { ...found, token: token.value } : found
      ) as T | null;
    },
    findMany: (given) => rows.findMany({ ...given, where: hashed(given) }),
    count: (given) => rows.count({ ...given, where: hashed(given) }),
    update: (given) => rows.update({ ...given, where: hashed(given) }),
    updateMany: (given) => rows.updateMany({ ...given, where: hashed(given) }),
    delete: (given) => rows.delete({ ...given, where: hashed(given) }),
    deleteMany: (given) => rows.deleteMany({ ...given, where: hashed(given) }),
    consumeOne: (given) => rows.consumeOne({ ...given, where: hashed(given) }),
    incrementOne: (given) =>
      rows.incrementOne({ ...given, where: hashed(given) }),
  };
}

function hashed(given: {
  model: string;
  where?: Where[] | undefined;
}): Where[] {
  const where = given.where ?? [];
  if (given.model !== "session") return where;
  return where.map((each) =>
    each.field !== "token"
      ? each
      : typeof each.value === "string"
        ? { ...each, value: digest(each.value) }
        : { ...each, value: (each.value as string[]).map(digest) },
  );
}
