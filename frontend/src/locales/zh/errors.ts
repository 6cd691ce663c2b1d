export default {
  network: '无法连接服务器。请检查网络后重试。',
  timeout: '服务器未及时响应，请重试。',
  page: '页面出现问题：{reason}。请刷新页面；如再次出现，请告知管理员。',
  retryAfter: '请在 {n} 秒后重试。',
  bootTitle: 'SAC 没有响应',
};
