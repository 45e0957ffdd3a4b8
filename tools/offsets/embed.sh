#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# embed.sh TABLE...: writes C that holds the texts (src/layout/tables.h).
set -eu

echo '/* Made by tools/offsets/embed.sh. */'
echo '#include "layout/tables.h"'
n=0
for table; do
	printf 'static const char text%d[] =\n' "$n"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/	"&\\n"/' "$table"
	echo '	"";'
	n=$((n + 1))
done
echo 'const struct pyd_table_text pyd_table_texts[] = {'
n=0
for table; do
	printf '\t{ "%s", text%d, sizeof(text%d) - 1 },\n' \
		"${table##*/}" "$n" "$n"
	n=$((n + 1))
done
echo '};'
printf 'const size_t pyd_ntable_texts = %d;\n' "$n"
