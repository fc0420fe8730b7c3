/** How routes of your own are guarded. Change or delete this file. */

[% if project.typescript or project.esm -%]
import { Router } from "express";

[% if module.tokens -%]
import {
  currentApiUser,
  currentUser,
  requireFreshApiUser,
  requireFreshUser,
  requireScope,
  requireUser,
} from "./auth/index[= js =]";
[%- else -%]
import { currentUser, requireFreshUser, requireUser } from "./auth/index[= js =]";
[%- endif %]

export const authExample = Router();
[%- else -%]
const { Router } = require("express");

const {
[%- if module.tokens %]
  currentApiUser,
[%- endif %]
  currentUser,
[%- if module.tokens %]
  requireFreshApiUser,
[%- endif %]
  requireFreshUser,
[%- if module.tokens %]
  requireScope,
[%- endif %]
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
[%- if module.tokens %]

// For a program with an access token that has the scope `read`.
authExample.get(
  "/auth/example/api",
  requireScope("read"),
  (request, response) => {
    response.json({ userId: currentApiUser(request).id });
  },
);

// For a program whose user signed in a short while ago.
authExample.get(
  "/auth/example/api/fresh",
  requireFreshApiUser,
  (request, response) => {
    response.json({ userId: currentApiUser(request).id });
  },
);
[%- endif %]
[%- if not project.typescript and not project.esm %]

module.exports = { authExample };
[%- endif %]
