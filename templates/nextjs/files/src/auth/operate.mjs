/** `node --env-file=.env [% if project.src %]src/[% endif %]auth/operate.mjs`: what an operator does to accounts. */

import "./resolve.mjs";

await import("./cli.ts");
