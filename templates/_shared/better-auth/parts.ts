/** What the module needs while the application runs. */

[% if module.tokens -%]
import type { Access } from "./bearer/access[= js =]";
[% endif -%]
import type { Keys } from "./throttle[= js =]";
import type { Outbox } from "./mail[= js =]";
[%- if module.oidc %]
import type { Oidc } from "./oidc/metadata[= js =]";
[%- endif %]
import type { Hasher } from "./passwords[= js =]";
import type { Settings } from "./settings[= js =]";

export interface Parts {
  readonly settings: Settings;
  readonly mail: Outbox;
  readonly hasher: Hasher;
  readonly keys: Keys;
[%- if module.oidc %]
  readonly oidc: Oidc;
[%- endif %]
[%- if module.tokens %]
  readonly access: Access;
[%- endif %]
}
