/** How a handler is guarded that takes more than a session. Change or delete this file. */

import { withFreshUser } from "../../../../auth";

// For whoever [% if module.oidc %]signed in[% else %]entered the password[% endif %] a short while ago.
export const GET = withFreshUser((user) => Response.json({ userId: user.id }));
