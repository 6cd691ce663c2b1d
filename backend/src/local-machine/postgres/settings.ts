/** Small: this shares a machine with the agents. Everything about durability is PostgreSQL's default. */
export const settings: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '60',
  shared_buffers: '32MB',
  maintenance_work_mem: '32MB',
  max_wal_size: '256MB',
  io_method: 'sync',
  jit: 'off',
  autovacuum_max_workers: '1',
  autovacuum_worker_slots: '2',
  max_worker_processes: '2',
  max_parallel_workers: '0',
  max_logical_replication_workers: '0',
  max_wal_senders: '0',
  // After a crash: one call for the whole disk instead of one per file, which takes seconds.
  recovery_init_sync_method: 'syncfs',
  hot_standby: 'off',
  wal_level: 'minimal',
  log_timezone: 'UTC',
  TimeZone: 'UTC',
  log_line_prefix: '%m [%p] ',
};
