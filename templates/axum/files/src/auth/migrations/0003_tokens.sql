[% set bytes = "BLOB" -%]
[% set pad = " " -%]
[% if db == "postgres" %][% set bytes = "BYTEA" %][% set pad = "" %][% endif -%]
-- Programs that are signed in, and the refresh token that is next for each.
-- Times are Unix seconds (UTC). Tokens are only ever stored as hashes.

CREATE TABLE auth_token_families (
    id               TEXT PRIMARY KEY NOT NULL,         -- its name in lists and in access tokens; opens nothing
    user_id          TEXT NOT NULL REFERENCES auth_users (id) ON DELETE CASCADE,
    session          TEXT,                              -- handle of the session that it ends with
    device           TEXT NOT NULL,
    scope            TEXT NOT NULL,
    amr              TEXT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    epoch            BIGINT NOT NULL,                   -- the account's; another one ends the family
    created_at       BIGINT NOT NULL,
    last_used_at     BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,                   -- absolute; no use moves it
    revoked_at       BIGINT
);
CREATE INDEX auth_token_families_user ON auth_token_families (user_id, last_used_at);
CREATE INDEX auth_token_families_expiry ON auth_token_families (expires_at);

CREATE TABLE auth_refresh_tokens (
    token_hash [= bytes =] PRIMARY KEY NOT NULL,[= pad =]              -- SHA-256 of the token
    family_id  TEXT NOT NULL REFERENCES auth_token_families (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    used_at    BIGINT,                                  -- kept while the family is, to notice a second use
    expires_at BIGINT NOT NULL
);
CREATE INDEX auth_refresh_tokens_family ON auth_refresh_tokens (family_id, used_at);
