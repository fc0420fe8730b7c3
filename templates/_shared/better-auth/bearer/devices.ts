/** The programs that are signed in for a user: to look at, and to sign out. */

import * as audit from "../audit[= js =]";
import { get, remove } from "../endpoint[= js =]";
import type { Parts } from "../parts[= js =]";
import { Problem } from "../problem[= js =]";
import { unix } from "../time[= js =]";
import * as families from "./families[= js =]";
import { caller, freshCaller } from "./guard[= js =]";

export function shown(family: families.Family) {
  const { id, device, createdAt, lastUsedAt } = family;
  return {
    id,
    device,
    createdAt: unix(createdAt),
    lastUsedAt: unix(lastUsedAt),
  };
}

export function deviceEndpoints(parts: Parts) {
  return {
    devices: get("/devices", async (ctx) => {
      const { program, user } = await caller(ctx, parts);
      const all = await families.of(ctx.context.adapter, (program ?? user).id);
      const devices = all.map((family) => ({
        ...shown(family),
        current: program
          ? family.id === program.family
          : family.session === user.session,
      }));
      return { devices };
    }),

    // Signs a program out. One of somebody else's looks like one that does not exist. A token can sign out the
    // program that has it, and no other.
    revokeDevice: remove("/devices/:id", async (ctx) => {
      const { program, user } = await freshCaller(ctx, parts);
      const id = String((ctx.params as Record<string, string>)["id"]);
      const owner = program ?? user;
      if (program && id !== program.family) throw new Problem("device_unknown");
      await ctx.context.adapter.transaction(async (rows) => {
        const theirs = await families.of(rows, owner.id);
        if (!theirs.some((family) => family.id === id))
          throw new Problem("device_unknown");
        await families.revoke(rows, id);
        await audit.record(rows, parts, "token_revoked", { userId: owner.id });
      });
      return { status: "revoked" };
    }),
  };
}
