import sys; sys.argv=['x']
exec(open('proto.py').read().split("for name,f in FUNCTIONS")[0])
import itertools
for name,n in (("maximum_of_five",5),("maximum_of_six",6)):
    f=FUNCTIONS[name]; net=getattr(circuits,name)().to_exact(); ts=terms(f)
    tot=0;t0=time.time()
    perms=list(itertools.permutations(range(n))); step=len(perms)//30
    for p in perms[::step]:
        for s in (1,-1):
            cell=[[Fraction(1)]+[Fraction(0)]*n]
            for k in range(1,n): cell.append([Fraction(0)]+[Fraction(int(i in p[:k])) for i in range(n)])
            cell.append([Fraction(0)]+[Fraction(s)]*n)
            tree,k=grow(cell,net,ts); tot+=k
    m=len(perms[::step])*2
    print(name,"per chamber",tot/m,"total",tot/m*2*len(perms),"time",time.time()-t0,"bytes/leaf",len(json.dumps(tree)),k)
