"""Labels of the page in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from tbench.claims.model import Words

RUN = Words("benchmark report", "基准测试报告")
COMPARISON = Words("comparison of two runs", "两次运行的比较")
GATE = Words("regression gate", "性能回归门禁")

INTERFACE: Mapping[str, Words] = {
    "language": Words("中文", "English"),
    "theme": Words("theme", "主题"),
    "auto": Words("auto", "自动"),
    "light": Words("light", "浅色"),
    "dark": Words("dark", "深色"),
    "charts": Words("Charts", "图表"),
    "panel": Words("Comparison", "比较项"),
    "figures": Words("Figures", "数据"),
    "cases": Words("All cases", "全部用例"),
    "filter": Words("Filter", "筛选"),
    "filter_hint": Words(
        "kernel=flash,naive seq_len=1024, or any words", "kernel=flash,naive seq_len=1024，或任意文字"
    ),
    "status": Words("status", "状态"),
    "any": Words("any", "全部"),
    "count": Words("{shown} of {all} cases", "{all}个用例中的{shown}个"),
    "more": Words("Show {n} more", "再显示{n}个"),
    "details": Words("details", "详情"),
    "command": Words("Measure this case again", "重新测量此用例"),
    "copy": Words("Copy", "复制"),
    "copied": Words("Copied", "已复制"),
    "samples": Words("Raw samples", "原始样本"),
    "notes": Words("Notes", "备注"),
    "case": Words("case", "用例"),
    "ascending": Words("sorted ascending", "升序"),
    "descending": Words("sorted descending", "降序"),
    "none": Words("No case matches.", "没有符合的用例。"),
    "environment": Words("Environment", "环境"),
    "warnings": Words("Warnings", "警告"),
    "method": Words("How it was measured", "测量方法"),
    "again": Words("Measure it again", "重新测量"),
    "skip": Words("Skip to the tables", "跳到表格"),
    "keyboard": Words(
        "Tab into a chart, then use the arrow keys to read its figures. Esc closes a note.",
        "用Tab键进入图表，再用方向键查看数据；Esc关闭提示。",
    ),
    "noscript": Words(
        "Charts and the table of cases need JavaScript, which is part of this file.",
        "图表与用例表需要JavaScript（已包含在此文件中）。",
    ),
    "failed": Words("This chart cannot be drawn here: {why}", "无法绘制此图：{why}"),
    "shortened": Words("The first {shown} of {all} rows.", "前{shown}行，共{all}行。"),
    "summary": Words("Summary", "概要"),
}

FACTS: Mapping[str, str] = {
    "device": "设备",
    "device memory": "设备内存",
    "driver, CUDA": "驱动与CUDA",
    "processor": "处理器",
    "memory": "内存",
    "last-level cache": "末级缓存",
    "allocator": "内存分配器",
    "peak throughput": "峰值吞吐",
    "cluster": "集群",
    "software": "软件",
    "packages": "软件包",
    "measured": "测量时间",
    "status": "状态",
    "seed": "随机种子",
    "base": "基线",
    "new": "新版本",
}


def fact(label: str) -> Words:
    return Words(label, FACTS.get(label, label))
