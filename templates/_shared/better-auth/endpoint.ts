/** How the module's endpoints are made: fields of one type, and faults that say nothing. */

import type { GenericEndpointContext } from "better-auth";
import { createAuthEndpoint, isAPIError } from "better-auth/api";
import * as z from "zod";

import { fault } from "./audit[= js =]";
import { Problem } from "./problem[= js =]";

export type Context = GenericEndpointContext;

// Others are not looked at (ASVS 15.3.3).
const form = <S extends z.ZodRawShape>(shape: S) => z.object(shape);

type Fields<S extends z.ZodRawShape> = z.infer<z.ZodObject<S>>;

/** Runs an endpoint's work: a refusal is told, everything else is a fault (ASVS 16.5.1). */
async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isAPIError(error)) throw error;
    fault("an endpoint failed", error);
    throw new Problem("unavailable");
  }
}

/** An endpoint that changes something; its fields come in the body. */
export function post<S extends z.ZodRawShape, R extends object>(
  path: string,
  shape: S,
  run: (ctx: Context, fields: Fields<S>) => Promise<R>,
  status = 200,
) {
  const schema = form(shape);
  return createAuthEndpoint(path, { method: "POST" }, async (ctx) => {
    const fields = schema.safeParse(ctx.body ?? {});
    if (!fields.success) throw new Problem("invalid_fields");
    const answer = await told(() => run(ctx, fields.data));
    ctx.setStatus(status as 200);
    return ctx.json(answer);
  });
}

/** An endpoint that shows something. */
export function get<R extends object>(
  path: string,
  run: (ctx: Context) => Promise<R>,
) {
  return createAuthEndpoint(path, { method: "GET" }, async (ctx) =>
    ctx.json(await told(() => run(ctx))),
  );
}

/** An endpoint that takes something away. */
export function remove<R extends object>(
  path: string,
  run: (ctx: Context) => Promise<R>,
) {
  return createAuthEndpoint(path, { method: "DELETE" }, async (ctx) =>
    ctx.json(await told(() => run(ctx))),
  );
}

/** The token of a mailed link, as it stands in the address; given twice, it is none. */
export function tokenIn(ctx: Context): string {
  const token: unknown = (ctx.query as Record<string, unknown> | undefined)?.[
    "token"
  ];
  return typeof token === "string" ? token : "";
}
