import eslint from '@eslint/js';
import {defineConfig, globalIgnores} from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
	globalIgnores(['build', 'dist', 'node_modules', 'bench/results']),
	{
		files: ['**/*.ts'],
		extends: [eslint.configs.recommended, tseslint.configs.recommendedTypeChecked],
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
			'no-control-regex': 'off', // Object keys may hold control characters, and we look for them.
			eqeqeq: 'error',
			'no-console': 'error',
			'no-restricted-exports': ['error', {restrictDefaultExports: {direct: true}}],
		},
	},
	{
		files: ['test/**/*.ts', 'bench/**/*.ts'],
		rules: {'no-console': 'off'},
	},
);
