"""Cues in Chinese, which writes no spaces: they are searched for as runs of characters, not as words."""

from __future__ import annotations

from collections.abc import Mapping

from router_service.core.inference.cues import Meaning, Sign
from router_service.core.task import TaskType

CHINESE_WORDS: Mapping[Meaning, str] = {
    TaskType.CHAT: """
        4.0: 你好, 谢谢
    """,
    TaskType.REASONING: """
        5.0: 架构, 调试
        4.0: 代码审查, 安全漏洞, 证明
        3.0: 迁移
        2.5: 设计
    """,
    TaskType.CODE_GENERATION: """
        5.0: 重构
        4.0: 写一个函数, 写一段代码, 快速排序
        3.5: 代码
        3.0: 函数, 程序
        2.5: 排序, 爬虫, 算法, 编写, 脚本
    """,
    TaskType.CLASSIFICATION: """
        5.0: 分类
        4.0: 情感, 情绪, 意图, 正面还是负面
        1.5: 是否
    """,
    TaskType.SUMMARIZATION: """
        5.0: 总结
        4.0: 摘要, 概括
    """,
    TaskType.RAG: """
        4.0: 根据以下, 资料
    """,
    TaskType.VISION: """
        3.0: 图片
    """,
    TaskType.WEB_SEARCH: """
        4.0: 搜索, 新闻, 最新
        3.5: 天气
    """,
    TaskType.CREATIVE_WRITING: """
        4.5: 小说, 故事, 诗
        4.0: 笑话
    """,
    TaskType.TRANSLATION: """
        5.0: 翻译
        4.0: 譯
    """,
    TaskType.ANALYSIS: """
        4.0: 优缺点, 分析
        3.0: 比较
        2.0: 趋势
    """,
    TaskType.SIMPLE_QA: """
        4.0: 首都
        2.5: 多少
        2.0: 哪里, 谁
        1.5: 什么
    """,
    TaskType.TESTING: """
        5.0: 测试
    """,
    TaskType.DOCUMENTATION: """
        4.5: 注释
        4.0: 文档
    """,
    TaskType.GENERAL: """
        4.0: 邮件, 食谱
        3.0: 建议, 推荐
    """,
    Sign.TECHNICAL: """
        2.0: 代码, 写一个函数, 写一段代码, 函数, 快速排序, 架构, 注释, 测试, 程序, 算法, 脚本, 调试, 重构
        1.0: 文档
    """,
    Sign.REFACTORING: """
        3.0: 重构
    """,
    Sign.DEMANDING: """
        4.0: 代码审查, 安全漏洞, 架构
        3.0: 调试
        2.0: 证明, 迁移, 重构
        1.0: 小说, 设计
    """,
    Sign.EASY: """
        2.0: 简单, 样板
    """,
}
