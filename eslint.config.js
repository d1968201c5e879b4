import eslint from '@eslint/js';
import {defineConfig, globalIgnores} from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
	globalIgnores(['build', 'dist', 'dist.*', 'node_modules', 'bench/report']),
	{
		files: ['**/*.ts'],
		extends: [eslint.configs.recommended, tseslint.configs.strictTypeChecked],
		languageOptions: {
			parserOptions: {project: './test/tsconfig.json', tsconfigRootDir: import.meta.dirname},
		},
		rules: {
			// A daemon must not lose a promise: each one is awaited, returned or handed to an owner.
			'@typescript-eslint/no-floating-promises': 'error',
			'@typescript-eslint/no-misused-promises': 'error',
			'@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
			'@typescript-eslint/only-throw-error': 'error',
			'@typescript-eslint/switch-exhaustiveness-check': 'error',
			'@typescript-eslint/prefer-promise-reject-errors': 'error',
			'@typescript-eslint/no-explicit-any': 'error',
			'@typescript-eslint/no-non-null-assertion': 'off', // Allowed where the sentence beside it proves it.
			'@typescript-eslint/no-unused-vars': ['error', {argsIgnorePattern: '^_', varsIgnorePattern: '^_'}],
			'@typescript-eslint/require-await': 'off', // Interfaces are asynchronous; memory implementations need not wait.
			'@typescript-eslint/unbound-method': 'off', // Operation tables are objects of closures, not of methods.
			// A number, a truth or `undefined` in a message is what we want to see there.
			'@typescript-eslint/restrict-template-expressions': [
				'error',
				{allowNumber: true, allowBoolean: true, allowNullish: true},
			],
			// An arrow function that only calls another may pass on that there is no value.
			'@typescript-eslint/no-confusing-void-expression': [
				'error',
				{ignoreArrowShorthand: true, ignoreVoidOperator: true},
			],
			'@typescript-eslint/no-meaningless-void-operator': 'off', // `void` makes an arrow function drop a value.
			'@typescript-eslint/no-invalid-void-type': 'off', // It refuses `Promise.withResolvers<void>()`.
			'@typescript-eslint/no-unnecessary-condition': 'off', // It does not see that a callback changes a variable.
			'max-params': ['error', 4],
			// The formatter breaks code; this is for comments.
			'max-len': [
				'error',
				{
					code: 120,
					tabWidth: 2,
					ignoreStrings: true,
					ignoreTemplateLiterals: true,
					ignoreRegExpLiterals: true,
					ignoreUrls: true,
				},
			],
			'no-control-regex': 'off', // Object keys may hold control characters, and we look for them.
			eqeqeq: 'error',
			'no-console': 'error',
			'no-restricted-exports': ['error', {restrictDefaultExports: {direct: true}}],
		},
	},
	{
		files: ['test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts'],
		rules: {'no-console': 'off'},
	},
	{
		// A volume, a subject, a range of bytes and a signal come together there; grouping them is work for later.
		files: ['src/{cache,filesystem,store}/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'],
		rules: {'max-params': ['error', 5]},
	},
	{
		files: ['src/fuse/operations/*.ts'],
		rules: {'max-params': 'off'}, // The FUSE library calls these functions, with the parameters of the kernel's calls.
	},
);
