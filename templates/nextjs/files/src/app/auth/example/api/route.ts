/** How a handler for programs is guarded. Change or delete this file. */

import { withScope } from "../../../../auth";

// For a program with an access token that has the scope `read`.
export const GET = withScope("read", (user) =>
  Response.json({ userId: user.id }),
);
