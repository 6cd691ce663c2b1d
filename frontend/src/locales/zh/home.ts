export default {
  title: '智能体',
  pickTitle: '未打开智能体',
  pick: '在左侧选择一个，或按 {key} 搜索。',
  notFoundTitle: '页面不存在',
  notFound: '此地址没有内容，或你无权查看。',
  toAgents: '前往你的智能体',
};
