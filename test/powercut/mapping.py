"""Writes through memory maps, without any msync, until it is killed: python3 mapping.py ROOT SEED"""

import glob, mmap, os, random, sys, time

root, chosen = sys.argv[1], random.Random(int(sys.argv[2]))
number = 0
while True:
    number += 1
    directories = sorted(glob.glob(root + '/DC*'), key=os.path.getmtime)
    directories = [each for each in directories if not os.path.exists(each + '/finished.parse')]
    if not directories:
        time.sleep(0.1)
        continue
    # One that stays open for long enough.
    path = '%s/mapped-%d' % (max(directories, key=lambda each: int(each.split('DC')[-1])), number)
    with open(path, 'w+b') as file:
        file.truncate(65536)
        with mmap.mmap(file.fileno(), 65536) as mapped:
            for turn in range(chosen.randrange(1, 5)):
                for page in range(16):
                    mapped[page * 4096:page * 4096 + 8] = b'turn %03d' % turn
                time.sleep(chosen.choice([0, 0.05, 0.4]))
    time.sleep(chosen.choice([0, 0.2]))
