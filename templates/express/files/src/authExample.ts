/** How routes of your own are guarded. Change or delete this file. */

[% if project.typescript or project.esm -%]
import { Router } from "express";

import { currentUser, requireFreshUser, requireUser } from "./auth/index[= js =]";

export const authExample = Router();
[%- else -%]
const { Router } = require("express");

const {
  currentUser,
  requireFreshUser,
  requireUser,
} = require("./auth/index[= js =]");

const authExample = Router();
[%- endif %]

// For whoever is signed in.
authExample.get("/auth/example", requireUser, (request, response) => {
  response.json({ userId: currentUser(request).id });
});

// For whoever [% if module.oidc %]signed in[% else %]entered the password[% endif %] a short while ago.
authExample.get(
  "/auth/example/fresh",
  requireFreshUser,
  (request, response) => {
    response.json({ userId: currentUser(request).id });
  },
);
[%- if not project.typescript and not project.esm %]

module.exports = { authExample };
[%- endif %]
