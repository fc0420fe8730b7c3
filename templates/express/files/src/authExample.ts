/** How routes of your own are guarded. Change or delete this file. */

import { Router } from "express";

import { currentUser, requireFreshUser, requireUser } from "./auth/index.js";

export const authExample = Router();

// For whoever is signed in.
authExample.get("/auth/example", requireUser, (request, response) => {
  response.json({ userId: currentUser(request).id });
});

// For whoever entered the password a short while ago.
authExample.get(
  "/auth/example/fresh",
  requireFreshUser,
  (request, response) => {
    response.json({ userId: currentUser(request).id });
  },
);
