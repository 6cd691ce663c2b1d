import { readFileSync } from 'node:fs';
import { sql } from 'kysely';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

interface Column {
  readonly name: string;
  readonly isNullable: boolean;
}

const sourceOf = (file: string): ts.SourceFile =>
  ts.createSourceFile(file, readFileSync(new URL(file, import.meta.url), 'utf8'), ts.ScriptTarget.Latest, true);

const interfacesOf = (source: ts.SourceFile): Map<string, ts.InterfaceDeclaration> =>
  new Map(
    source.statements.filter(ts.isInterfaceDeclaration).map((declaration) => [declaration.name.text, declaration]),
  );

const propertiesOf = (declaration: ts.InterfaceDeclaration): ts.PropertySignature[] =>
  declaration.members.filter(ts.isPropertySignature);

/** `X | null`, `Generated<X | null>`, and aliases that say Nullable. */
const allowsNull = (type: string): boolean => /\bnull\b|^Nullable/.test(type.replace(/ColumnType<([^,]+),.*>/, '$1'));

/** Tables as the TypeScript declarations have them. */
const declaredTables = (): Map<string, Column[]> => {
  const interfaces = new Map([
    ...interfacesOf(sourceOf('./tables.ts')),
    ...interfacesOf(sourceOf('./agent-tables.ts')),
  ]);
  const tables = new Map<string, Column[]>();
  for (const name of ['AccountTables', 'AgentTables']) {
    const list = interfaces.get(name);
    if (list === undefined) throw new Error(`interface ${name} is gone`);
    for (const table of propertiesOf(list)) {
      const row = interfaces.get(table.type?.getText() ?? '');
      if (row === undefined) throw new Error(`no interface for the table ${table.name.getText()}`);
      const columns = propertiesOf(row).map((column) => ({
        name: column.name.getText(),
        isNullable: allowsNull(column.type?.getText() ?? ''),
      }));
      tables.set(
        table.name.getText(),
        columns.toSorted((left, right) => left.name.localeCompare(right.name)),
      );
    }
  }
  return tables;
};

/** Tables as the migrations made them. */
const migratedTables = async (): Promise<Map<string, Column[]>> => {
  const { rows } = await sql<{ table_name: string; column_name: string; is_nullable: string }>`
    select table_name, column_name, is_nullable from information_schema.columns
    where table_schema = 'public' and table_name not in ('migrations', 'schema_migrations')
  `.execute(database.db);
  const tables = new Map<string, Column[]>();
  for (const row of rows) {
    const columns = tables.get(row.table_name) ?? [];
    columns.push({ name: row.column_name, isNullable: row.is_nullable === 'YES' });
    tables.set(
      row.table_name,
      columns.toSorted((left, right) => left.name.localeCompare(right.name)),
    );
  }
  return tables;
};

describe('table declarations', () => {
  it('are those of the migrated schema, column by column', async () => {
    expect(Object.fromEntries(declaredTables())).toEqual(Object.fromEntries(await migratedTables()));
  });

  it('has an ON DELETE that was chosen for every foreign key, and an index that serves it', async () => {
    const { rows } = await sql<{ name: string; action: string; indexed: boolean }>`
      select c.conrelid::regclass || '.' || a.attname as name, c.confdeltype as action,
        exists (select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1]) as indexed
      from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
      where c.contype = 'f'
    `.execute(database.db);
    expect(rows.length).toBeGreaterThan(4);
    // `a`: NO ACTION, what PostgreSQL takes when nobody said anything.
    expect(rows.filter((row) => row.action === 'a').map((row) => row.name)).toEqual([]);
    // A handful of rows at most: looking through them is cheaper than keeping an index.
    const tiny = new Set(['system_settings.updated_by']);
    expect(rows.filter((row) => !row.indexed && !tiny.has(row.name)).map((row) => row.name)).toEqual([]);
  });
});
