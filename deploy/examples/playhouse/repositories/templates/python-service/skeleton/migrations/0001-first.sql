-- The first table of ${{ values.name }}. Kept for ${{ values.retention }}.
create table happened (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  what jsonb not null
);
