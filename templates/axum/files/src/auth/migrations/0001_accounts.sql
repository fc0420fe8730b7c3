[% set bytes = "BLOB" -%]
[% set pad = " " -%]
[% if db == "postgres" %][% set bytes = "BYTEA" %][% set pad = "" %][% endif -%]
-- Accounts, sessions, single-use tokens, throttles and the audit trail.
-- Times are Unix seconds (UTC). Secrets are only ever stored as hashes.

CREATE TABLE auth_users (
    id                  TEXT PRIMARY KEY NOT NULL,
    email               TEXT NOT NULL UNIQUE,           -- canonical form only (email.rs)
    password_hash       TEXT NOT NULL,                  -- argon2id PHC string
    verified_at         BIGINT,
    disabled_at         BIGINT,
    epoch               BIGINT NOT NULL DEFAULT 0,      -- raised by every change that ends sessions
    failed_logins       BIGINT NOT NULL DEFAULT 0,      -- consecutive; at the cap the password stops working
    password_changed_at BIGINT NOT NULL,
    created_at          BIGINT NOT NULL
);

CREATE TABLE auth_sessions (
    id_hash          [= bytes =] PRIMARY KEY NOT NULL,[= pad =]        -- SHA-256 of the cookie's value
    handle           TEXT NOT NULL UNIQUE,              -- its name in lists; opens nothing
    user_id          TEXT NOT NULL REFERENCES auth_users (id) ON DELETE CASCADE,
    created_at       BIGINT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    last_seen_at     BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,                   -- absolute; no request moves it
    ip               TEXT NOT NULL,
    user_agent       TEXT NOT NULL
);
CREATE INDEX auth_sessions_user ON auth_sessions (user_id, created_at);
CREATE INDEX auth_sessions_expiry ON auth_sessions (expires_at);

CREATE TABLE auth_tokens (
    token_hash   [= bytes =] PRIMARY KEY NOT NULL,[= pad =]            -- SHA-256 of the mailed value
    purpose      TEXT NOT NULL,
    user_id      TEXT NOT NULL REFERENCES auth_users (id) ON DELETE CASCADE,
    email        TEXT NOT NULL,                         -- the account's address when it was made
    new_email    TEXT,                                  -- mailed there: the address that is to replace it
    browser_hash [= bytes =],[= pad =]                                 -- SHA-256 of the registering browser's cookie
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT,
    UNIQUE (user_id, purpose)                           -- a newer token takes the place of the older
);
CREATE INDEX auth_tokens_expiry ON auth_tokens (expires_at);

CREATE TABLE auth_throttles (
    key           [= bytes =] PRIMARY KEY NOT NULL,[= pad =]           -- HMAC of what is counted
    count         BIGINT NOT NULL,
    window_start  BIGINT NOT NULL,
    blocked_until BIGINT NOT NULL DEFAULT 0,
    expires_at    BIGINT NOT NULL
);
CREATE INDEX auth_throttles_expiry ON auth_throttles (expires_at);

CREATE TABLE auth_audit (
[%- if db == "postgres" %]
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
[%- else %]
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
[%- endif %]
    at         TEXT NOT NULL,                           -- RFC 3339, UTC
    event      TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    user_id    TEXT,                                    -- no foreign key: the trail outlives the account
    subject    TEXT,                                    -- keyed hash of an address that has no account
    ip         TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    request_id TEXT NOT NULL
);
CREATE INDEX auth_audit_at ON auth_audit (at);
CREATE INDEX auth_audit_user ON auth_audit (user_id, id);
