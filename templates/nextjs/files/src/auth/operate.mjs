/** `node src/auth/operator.mjs`: what an operator does to accounts. */

import "./resolve.mjs";

await import("./cli.ts");
