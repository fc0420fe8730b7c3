// The strictest rules of the ecosystem, for generated code that is linted where it stands.
import js from "@eslint/js";
import tseslint from "typescript-eslint";

const project = process.cwd();

export default tseslint.config(
  { ignores: ["**/dist/"] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: project } },
    rules: {
      "@typescript-eslint/no-floating-promises": [
        "error",
        { allowForKnownSafeCalls: [{ from: "package", name: ["describe", "test"], package: "node:test" }] },
      ],
    },
  },
);
