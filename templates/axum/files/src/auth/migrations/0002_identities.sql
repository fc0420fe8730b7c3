[% set bytes = "BLOB" -%]
[% set pad = " " -%]
[% if db == "postgres" %][% set bytes = "BYTEA" %][% set pad = "" %][% endif -%]
-- Identities at providers, and sign-ins that are under way there.

[% if db == "postgres" -%]
-- An account that came from a provider has no password.
ALTER TABLE auth_users ALTER COLUMN password_hash DROP NOT NULL;
[%- else -%]
-- An account that came from a provider has no password. SQLite takes no constraint back, so another
-- column takes the place of the first.
ALTER TABLE auth_users ADD COLUMN password TEXT;
UPDATE auth_users SET password = password_hash;
ALTER TABLE auth_users DROP COLUMN password_hash;
ALTER TABLE auth_users RENAME COLUMN password TO password_hash;
[%- endif %]

-- How somebody signed in: `pwd`, or `fed` for a provider.
ALTER TABLE auth_sessions ADD COLUMN amr TEXT NOT NULL DEFAULT 'pwd';

CREATE TABLE auth_identities (
    id        TEXT PRIMARY KEY NOT NULL,
    user_id   TEXT NOT NULL REFERENCES auth_users (id) ON DELETE CASCADE,
    provider  TEXT NOT NULL,
    issuer    TEXT NOT NULL,
    subject   TEXT NOT NULL,                    -- exactly as the provider says it
    email     TEXT,                             -- as it was when linked; to be shown, never to be looked up
    linked_at BIGINT NOT NULL,
    UNIQUE (issuer, subject),                   -- an identity belongs to one account
    UNIQUE (user_id, provider)
);

CREATE TABLE auth_oidc_transactions (
    state_hash   [= bytes =] PRIMARY KEY NOT NULL,[= pad =]    -- SHA-256 of `state`
    browser_hash [= bytes =] NOT NULL,[= pad =]                -- SHA-256 of the cookie of the browser that began
    provider     TEXT NOT NULL,
    issuer       TEXT NOT NULL,
    intent       TEXT NOT NULL,                 -- login, link or reauth
    user_id      TEXT REFERENCES auth_users (id) ON DELETE CASCADE,
    session      TEXT,                          -- the handle of the session that began, unless to sign in
    nonce        TEXT NOT NULL,
    verifier     TEXT NOT NULL,                 -- for PKCE; never leaves the server before the code is exchanged
    next         TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX auth_oidc_transactions_browser ON auth_oidc_transactions (browser_hash, created_at);
CREATE INDEX auth_oidc_transactions_expiry ON auth_oidc_transactions (expires_at);
