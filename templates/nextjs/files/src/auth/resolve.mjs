/** Node strips types by itself, but does not look for the endings that imports of this folder leave out. */

import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, next) {
    const isBare = /^\.{1,2}\//.test(specifier) && !/\.\w+$/.test(specifier);
    return next(isBare ? `${specifier}.ts` : specifier, context);
  },
});
