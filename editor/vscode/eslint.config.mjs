// What TypeScript alone does not see: promises nobody waits for, values of no known type.
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["out/", "node_modules/"] },
  {
    files: ["src/**/*.ts", "test/**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: "./tsconfig.json" } },
    rules: {
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  {
    files: ["test/unit/*.ts"],
    rules: {
      "@typescript-eslint/no-floating-promises": "off", // node's test() returns one
      "@typescript-eslint/no-unsafe-enum-assignment": "off", // VS Code sends a role that its types do not name
    },
  },
);
