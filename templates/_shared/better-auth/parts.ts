/** What the module needs while the application runs. */

import type { Keys } from "./throttle[= js =]";
import type { Outbox } from "./mail[= js =]";
import type { Hasher } from "./passwords[= js =]";
import type { Settings } from "./settings[= js =]";

export interface Parts {
  readonly settings: Settings;
  readonly mail: Outbox;
  readonly hasher: Hasher;
  readonly keys: Keys;
}
