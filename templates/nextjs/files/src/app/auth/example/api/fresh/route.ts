/** How a handler for programs is guarded that takes more than a token. Change or delete this file. */

import { withFreshApiUser } from "../../../../../auth";

// For a program whose user signed in a short while ago.
export const GET = withFreshApiUser((user) =>
  Response.json({ userId: user.id }),
);
